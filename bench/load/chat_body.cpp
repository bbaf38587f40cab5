#include <array>

#include "load/load.hpp"

namespace weir::load {

// A conversation of many turns with line ends and quotes in it: what clients really send, so that a server which looks
// at each byte meets escapes, and a server which looks only at the top level may skip them.
std::string chat_body(std::string_view model, std::size_t bytes, bool stream) {
  constexpr std::string_view paragraph =
      "The weir holds the river back a little, so that the mill has water in dry weeks and the fields stay dry in wet "
      "ones.\\n"
      "\\\"How much does it let through?\\\" asked the miller. As much as arrives, said the keeper, only more evenly: "
      "4.5 m3/s on "
      "most days, 12.25 after rain. ";
  constexpr std::array<std::string_view, 2> roles = {"user", "assistant"};
  constexpr std::size_t turn_bytes_max = 2000;

  std::string head = "{\"model\":\"";
  head += model;
  head += "\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant. Answer briefly.\"}";
  std::string tail = "],\"temperature\":0.7,\"max_tokens\":256";
  tail += stream ? ",\"stream\":true}" : "}";
  constexpr std::string_view last_turn = ",{\"role\":\"user\",\"content\":\"";
  constexpr std::string_view turn_end = "\"}";

  std::string body = head;
  auto fixed = tail.size() + last_turn.size() + turn_end.size();
  for (std::size_t turn = 0; body.size() + turn_bytes_max + fixed + 100 < bytes; ++turn) {
    body += ",{\"role\":\"";
    body += roles[turn % 2];
    body += "\",\"content\":\"";
    for (std::size_t filled = 0; filled + paragraph.size() < turn_bytes_max; filled += paragraph.size()) {
      body += paragraph;
    }
    body += turn_end;
  }
  body += last_turn;
  constexpr std::string_view padding = "What follows from that for the spring, and what should be built first? ";
  while (body.size() + turn_end.size() + tail.size() < bytes) {
    auto room = bytes - body.size() - turn_end.size() - tail.size();
    body += padding.substr(0, room);
  }
  body += turn_end;
  return body + tail;
}

}  // namespace weir::load
