#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace weir::sim {

/// Reads one HTTP/1.1 response as a strict client would, and says what is wrong with it. On purpose not our own parser:
/// it judges what that one's neighbour writes. A state without I/O.
class ResponseReader {
 public:
  /// Takes what belongs to this response from the front of `bytes`; the rest is the next one's.
  void take(std::string& bytes);
  /// The connection has ended.
  void end_of_input();

  [[nodiscard]] bool head_done() const { return state_ != State::head; }
  [[nodiscard]] bool ended() const { return state_ == State::ended; }
  /// The last chunk came whole, and of a next one nothing was taken.
  [[nodiscard]] bool between_chunks() const { return state_ == State::chunk_head; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::map<std::string, std::string>& headers() const { return headers_; }
  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  enum class State { head, length, chunk_head, chunk, chunk_end, trailer, until_close, ended };
  bool take_head(std::string& bytes);
  bool take_line(std::string& bytes, std::string& line);
  bool step(std::string& bytes);

  State state_ = State::head;
  int status_ = 0;
  std::map<std::string, std::string> headers_;
  std::string body_;
  std::string broken_;
  std::size_t left_ = 0;
};

}  // namespace weir::sim
