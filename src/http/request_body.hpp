#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/content_decoder.hpp"
#include "http/head_parser.hpp"
#include "platform/byte_reader.hpp"
#include "platform/memory_budget.hpp"
#include "platform/shared_budget.hpp"

namespace weir::http {

/// Reads the body of each request on one connection: by length, in the read buffer itself, or put together from its
/// chunks, or decoded from its content coding.
///
/// What it holds is charged to the budget as it comes: to announce a large body costs its sender nothing, and a small
/// one that decodes to a large one is charged for what came out. A body that was decoded is bounded like any other.
/// Belongs to the reader's loop; reader and budget outlive it.
class RequestBody {
 public:
  struct Refusal {
    int status = 0;  // 0: nobody is left to be told, or the server stops
    Code code = Code::invalid_request;
    std::string message;
  };
  using Outcome = std::expected<void, Refusal>;

  RequestBody(platform::Loop& loop, platform::ByteReader& reader, platform::MemoryBudget& budget)
      : loop_(loop), reader_(reader), budget_(budget) {}
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  /// For what is read from now on: of the bytes that come, and of what they decode to.
  void limit(std::size_t bytes_max) { bytes_max_ = bytes_max; }
  /// Beyond `shared_from` bytes the next body counts as `caller`'s, who may have his share of the budget and no more.
  void count_for(platform::SharedBudget& shares, const platform::IpAddress& caller) {
    shares_ = &shares;
    caller_ = caller;
  }
  static constexpr std::size_t shared_from = std::size_t{16} * 1024;
  /// What is wrong before a byte of the body came: no `100 Continue` asks for it then.
  [[nodiscard]] std::optional<Refusal> check(const RequestHead& head) const;
  /// Reads it to its end. `until` is for an empty one: what came earns it more time. check() found nothing wrong.
  Task<Outcome> read(const RequestHead& head, platform::Until until);
  void clear() {
    view_ = {};
    bytes_in_reader_ = 0;
  }

  /// Lives until the next read(), as long as the reader is pinned; 64 readable bytes follow.
  [[nodiscard]] std::string_view view() const { return view_; }
  /// How much of the reader's buffer is this body: to be consumed when the request is over.
  [[nodiscard]] std::size_t bytes_in_reader() const { return bytes_in_reader_; }
  /// The budget's share; the body must not be used any more.
  void give_back() {
    lease_ = {};
    share_ = {};
    shares_ = nullptr;
  }
  /// The memory too: the connection becomes idle.
  void forget() { text_ = {}; }

 private:
  Task<Outcome> read_in_place(std::size_t length, platform::Until until);
  Task<Outcome> read_chunks(platform::Until until);
  Task<Outcome> read_encoded(const RequestHead& head, platform::Until until);
  [[nodiscard]] bool make_room(std::size_t bytes, std::size_t others);
  [[nodiscard]] bool charge(std::size_t bytes) {
    if (bytes > shared_from && shares_ != nullptr && !share_.grow_to(*shares_, caller_, bytes)) {
      share_is_full_ = true;
      return false;
    }
    return lease_.grow_to(budget_, bytes);
  }
  [[nodiscard]] std::unexpected<Refusal> out_of_memory() const;
  [[nodiscard]] std::unexpected<Refusal> too_large() const;
  void finish_text();

  platform::Loop& loop_;
  platform::ByteReader& reader_;
  platform::MemoryBudget& budget_;
  std::size_t bytes_max_ = 0;
  std::string text_;  // a body that is not in the reader's buffer
  std::string_view view_;
  std::size_t bytes_in_reader_ = 0;
  platform::MemoryBudget::Lease lease_;
  platform::SharedBudget* shares_ = nullptr;  // null: nobody counts
  platform::IpAddress caller_;
  platform::SharedBudget::Lease share_;
  bool share_is_full_ = false;
};

}  // namespace weir::http
