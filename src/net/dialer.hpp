#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/name_cache.hpp"
#include "net/task_group.hpp"
#include "platform/loop.hpp"
#include "platform/stream.hpp"

namespace weir::net {

struct DialerStatistics {
  std::uint64_t lookups = 0;         // names asked for
  std::uint64_t failed_lookups = 0;  // without an answer
  std::uint64_t cache_hits = 0;      // dials that needed none
  std::uint64_t stale_hits = 0;      // dials to addresses that were old, because nobody told newer ones
};

/// Makes the connections of one core to other machines: remembers the addresses of names, tries all of them, and asks
/// for probes on silent connections.
///
/// Callers that need the same name wait for one lookup, which goes on when they leave. An address that does not answer
/// gets its share of the time, so that the next ones have theirs. Life: close() must have returned before the
/// destructor. Belongs to one loop.
class Dialer {
 public:
  struct Options {
    std::chrono::milliseconds name_ttl{300'000};  // 0: each dial asks
    std::optional<platform::TcpKeepAlive> keep_alive = platform::TcpKeepAlive();
  };
  Dialer(platform::Loop& loop, Options options);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  ~Dialer();

  /// For what is dialed from now on.
  void set_options(Options options);
  /// Errors: those of Loop::dial.
  Task<Result<std::unique_ptr<platform::Stream>>> dial(const platform::Peer& peer, platform::Until until);
  [[nodiscard]] const DialerStatistics& statistics() const { return statistics_; }
  Task<void> close();

 private:
  struct Lookup;
  struct Found {
    NameCache::Addresses addresses;
    bool remembered = false;
  };
  Task<Result<std::unique_ptr<platform::Stream>>> dial_place(const platform::Peer& peer, platform::Until until);
  WEIR_OWN_FRAME Task<Result<std::unique_ptr<platform::Stream>>> dial_name(const platform::Peer& peer,
                                                                           platform::Until until);
  Task<Result<Found>> addresses_of(const std::string& host, platform::Until until);
  Task<Result<NameCache::Addresses>> ask(const std::string& host, platform::Until until);
  Task<void> look_up(std::string host, std::shared_ptr<Lookup> lookup);

  platform::Loop& loop_;
  Options options_;
  NameCache names_;
  std::map<std::string, std::shared_ptr<Lookup>, std::less<>> running_;
  TaskGroup lookups_;
  DialerStatistics statistics_;
};

}  // namespace weir::net
