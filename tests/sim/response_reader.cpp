#include "sim/response_reader.hpp"

#include <algorithm>
#include <charconv>

namespace weir::sim {

void ResponseReader::take(std::string& bytes) {
  while (state_ != State::ended && broken_.empty() && step(bytes)) {
  }
}

void ResponseReader::end_of_input() {
  if (state_ == State::until_close) {
    state_ = State::ended;
  }
}

bool ResponseReader::take_line(std::string& bytes, std::string& line) {
  const std::size_t end = bytes.find("\r\n");
  if (end == std::string::npos) {
    return false;
  }
  line = bytes.substr(0, end);
  bytes.erase(0, end + 2);
  return true;
}

bool ResponseReader::take_head(std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) {
    return false;
  }
  std::string head = bytes.substr(0, end + 2);
  bytes.erase(0, end + 4);
  std::string line;
  if (!take_line(head, line) || line.size() < 13 || !line.starts_with("HTTP/1.1 ")) {
    broken_ = "status line: " + line;
    return false;
  }
  std::from_chars(line.data() + 9, line.data() + 12, status_);
  headers_.clear();
  while (take_line(head, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) {
      broken_ = "header line: " + line;
      return false;
    }
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!headers_.emplace(name, line.substr(colon + 2)).second) {
      broken_ = "twice: " + name;
      return false;
    }
  }
  if (status_ < 200) {
    return true;
  }
  if (headers_.contains("transfer-encoding") && headers_.contains("content-length")) {
    broken_ = "both framings";
    return false;
  }
  if (headers_.contains("transfer-encoding")) {
    state_ = State::chunk_head;
  } else if (const auto length = headers_.find("content-length"); length != headers_.end()) {
    std::from_chars(length->second.data(), length->second.data() + length->second.size(), left_);
    state_ = left_ == 0 ? State::ended : State::length;
  } else {
    state_ = State::until_close;
  }
  return true;
}

bool ResponseReader::step(std::string& bytes) {
  std::string line;
  switch (state_) {
    case State::head: return take_head(bytes);
    case State::length:
    case State::chunk: {
      const std::size_t count = std::min(left_, bytes.size());
      body_.append(bytes, 0, count);
      bytes.erase(0, count);
      left_ -= count;
      if (left_ == 0) {
        state_ = state_ == State::length ? State::ended : State::chunk_end;
      }
      return count > 0;
    }
    case State::chunk_head: {
      if (!take_line(bytes, line)) {
        return false;
      }
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
      if (line.empty() || error != std::errc() || end != line.data() + line.size()) {
        broken_ = "chunk head: " + line;
        return false;
      }
      state_ = left_ == 0 ? State::trailer : State::chunk;
      return true;
    }
    case State::chunk_end:
      if (!take_line(bytes, line)) {
        return false;
      }
      if (!line.empty()) {
        broken_ = "behind a chunk: " + line;
        return false;
      }
      state_ = State::chunk_head;
      return true;
    case State::trailer:
      if (!take_line(bytes, line)) {
        return false;
      }
      if (line.empty()) {
        state_ = State::ended;
      }
      return true;
    case State::until_close:
      body_ += bytes;
      bytes.clear();
      return false;
    case State::ended: return false;
  }
  return false;
}

}  // namespace weir::sim
