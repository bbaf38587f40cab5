#include "sim/upset.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::sim {

std::string_view to_string(Upset upset) {
  switch (upset) {
    case Upset::none: return "none";
    case Upset::refused: return "refused";
    case Upset::unreachable: return "unreachable";
    case Upset::silent_dial: return "silent dial";
    case Upset::reset: return "reset";
    case Upset::fin: return "fin";
    case Upset::silence: return "silence";
    case Upset::slow: return "slow";
    case Upset::malformed: return "malformed";
    case Upset::error: return "error";
    case Upset::missing_done: return "missing [DONE]";
    case Upset::held_open: return "held open";
    case Upset::nonsense: return "nonsense with 200";
    case Upset::wrong_length: return "wrong length";
    case Upset::trickle: return "trickle";
    case Upset::kinds: break;
  }
  return "?";
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::dialling: return "dialling";
    case Phase::before_head: return "before head";
    case Phase::first_event_held: return "event held";
    case Phase::after_content: return "after content";
    case Phase::within_body: return "within body";
    case Phase::after_end: return "after end";
    case Phase::kinds: break;
  }
  return "?";
}

std::string_view to_string(Mischief mischief) {
  switch (mischief) {
    case Mischief::leave_fin: return "client leaves (FIN)";
    case Mischief::leave_reset: return "client leaves (RST)";
    case Mischief::slow_reading: return "client reads slowly";
    case Mischief::kinds: break;
  }
  return "?";
}

std::string_view to_string(ClientPhase phase) {
  switch (phase) {
    case ClientPhase::sending: return "sending";
    case ClientPhase::waiting: return "waiting";
    case ClientPhase::receiving: return "receiving";
    case ClientPhase::idle: return "idle";
    case ClientPhase::pipelined: return "pipelined";
    case ClientPhase::kinds: break;
  }
  return "?";
}

void Reached::count_status(int status, bool retry_after, std::string_view says) {
  if (!says.empty()) {
    ++cells_[{std::string(says), std::string(to_string(Phase::before_head))}];
  }
  ++cells_[{fmt::format("status {}{}", status, retry_after ? " + Retry-After" : ""),
            std::string(to_string(Phase::before_head))}];
}

void Reached::count_unended(std::string_view line_ends) {
  const bool one = line_ends.contains('\n') || line_ends.contains('\r');
  ++cells_[{one ? "last event, one line end" : "last event, no line end", std::string(to_string(Phase::after_end))}];
}

void Reached::merge(const Reached& other) {
  for (const auto& [cell, count] : other.cells_) {
    cells_[cell] += count;
  }
}

const std::vector<Reached::Cell>& Reached::possible() {
  static const std::vector<Cell> all = [] {
    std::vector<Cell> cells;
    auto add = [&](std::string_view kind, std::initializer_list<std::string_view> phases) {
      for (const std::string_view phase : phases) {
        cells.emplace_back(kind, phase);
      }
    };
    add("refused", {"dialling"});
    add("unreachable", {"dialling"});
    add("silent dial", {"dialling"});
    for (const char* kind : {"reset", "fin"}) {
      add(kind, {"dialling", "before head", "event held", "after content", "within body", "after end"});
    }
    for (const char* kind : {"silence", "slow", "malformed"}) {
      add(kind, {"before head", "event held", "after content", "within body"});
    }
    add("error", {"before head", "event held", "after content"});
    add("slow, just in time", {"before head", "event held", "after content", "within body"});
    add("error before the body came", {"before head"});
    add("missing [DONE]", {"after content"});
    add("held open", {"after end"});
    add("nonsense with 200", {"before head"});
    add("wrong length", {"within body"});
    add("trickle", {"event held", "after content", "within body"});
    add("truncated chunk", {"event held", "after content"});
    for (const char* says : {"context_length_exceeded", "content_policy_violation", "insufficient_quota"}) {
      add(says, {"before head"});
    }
    add("last event, no line end", {"after end"});
    add("last event, one line end", {"after end"});
    for (const int status : {400, 401, 402, 403, 404, 408, 422, 500, 502, 504, 529}) {
      add(fmt::format("status {}", status), {"before head"});
    }
    for (const int status : {429, 503}) {
      add(fmt::format("status {}", status), {"before head"});
      add(fmt::format("status {} + Retry-After", status), {"before head"});
    }
    for (const char* kind : {"client leaves (FIN)", "client leaves (RST)"}) {
      add(kind, {"sending", "waiting", "receiving", "idle", "pipelined"});
    }
    add("client reads slowly", {"receiving"});
    add("memory judged", {"idle"});
    for (const char* fault :
         {"partial_read", "partial_write", "no_room", "split_segment", "reset", "discarded_by_reset", "stall",
          "stall_for_ever", "late_close", "spurious_wake", "clock_jump"}) {
      add(fault, {"network"});
    }
    for (const char* outcome :
         {"whole", "whole after keep-alives", "whole after fallback", "whole after retry", "whole after silent retry",
          "whole after a slow one", "gone on with by another answer", "asked to go on, and differed", "error status",
          "error event", "error event after keep-alives", "cut", "client left", "drained", "drained after content",
          "drained, slow reader", "reload", "reload during calls"}) {
      add(outcome, {"outcome"});
    }
    return cells;
  }();
  return all;
}

std::string Reached::table() const {
  const std::vector<std::string> columns = {"dialling",  "before head", "event held", "after content", "within body",
                                            "after end", "sending",     "waiting",    "receiving",     "idle",
                                            "pipelined", "network",     "outcome"};
  std::string text = fmt::format("{:<26}", "state reached");
  for (const std::string& column : columns) {
    text += fmt::format(" {:>13}", column);
  }
  text += "\n";
  std::vector<std::string> kinds;
  for (const auto& [kind, phase] : possible()) {
    if (std::ranges::find(kinds, kind) == kinds.end()) {
      kinds.push_back(kind);
    }
  }
  for (const std::string& kind : kinds) {
    text += fmt::format("{:<26}", kind);
    for (const std::string& column : columns) {
      const bool can_be = std::ranges::find(possible(), Cell(kind, column)) != possible().end();
      const auto found = cells_.find({kind, column});
      text += can_be ? fmt::format(" {:>13}", found == cells_.end() ? 0 : found->second) : fmt::format(" {:>13}", "-");
    }
    text += "\n";
  }
  return text;
}

std::vector<std::string> Reached::missing() const {
  std::vector<std::string> states;
  for (const Cell& cell : possible()) {
    if (!cells_.contains(cell)) {
      states.push_back(cell.first + " / " + cell.second);
    }
  }
  return states;
}

}  // namespace weir::sim
