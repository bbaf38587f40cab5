#pragma once

#include <string>
#include <string_view>

#include "platform/byte_reader.hpp"
#include "platform/byte_writer.hpp"
#include "platform/loop.hpp"

/// For tests: clients that say one thing and listen.
namespace weir::platform {

/// Says `text` on a connection of its own and appends what comes to `heard`, until the peer closes or `enough` of it
/// came.
inline Task<void> talk(Loop& loop, Peer peer, std::string text, std::string& heard,
                       bool (*enough)(std::string_view heard) = nullptr) {
  auto stream = co_await loop.dial(peer, {});
  ByteReader reader(loop, **stream, {});
  ByteWriter writer(loop, **stream);
  reader.start();
  const std::string_view slice = text;
  static_cast<void>(co_await writer.write({&slice, 1}, {}));
  while (co_await reader.more(0, {})) {
    heard += reader.bytes();
    reader.consume(reader.bytes().size());
    if (enough != nullptr && enough(heard)) {
      break;
    }
  }
  (*stream)->close();
}

}  // namespace weir::platform
