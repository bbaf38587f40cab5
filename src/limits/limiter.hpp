#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "limits/limit.hpp"
#include "limits/sliding_window.hpp"

namespace weir::limits {

/// Why a call is refused: of several limits that are reached, the one that needs the longest wait, so that who waits
/// that long is admitted if nobody else comes.
struct Refusal {
  ScopeKind scope = ScopeKind::global;
  std::optional<WindowLimit> window;  // nothing: too many calls at the same time
  std::int64_t in_flight_limit = 0;
  std::optional<platform::Duration> retry_after;  // nothing: never, the call asks for more than the limit
  bool elsewhere = false;                         // all limits grant it; what was to be decided with them did not
};

/// How a caller stands with the tightest of his limits.
struct Standing {
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  platform::Duration reset{};  // until nothing is used any more
};

/// Counts for all cores.
///
/// Outlives its tickets. Thread-safe.
class Limiter {
 public:
  struct Options {
    std::size_t scopes_max = 65'536;
  };
  explicit Limiter(Options options) : options_(options) {}
  Limiter() : Limiter(Options{}) {}
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;
  ~Limiter() = default;

  static constexpr std::size_t scopes_per_call_max = 24;

 private:
  struct Key {
    ScopeKind kind;
    std::string id;
  };
  struct KeyView {
    KeyView() = default;
    KeyView(ScopeKind its_kind, std::string_view its_id);
    ScopeKind kind{};
    std::string_view id;
    std::size_t hash = 0;  // it is needed twice: for the shard, and in it
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const KeyView& key) const { return key.hash; }
    std::size_t operator()(const Key& key) const { return KeyView(key.kind, key.id).hash; }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.kind == b.kind && std::string_view(a.id) == std::string_view(b.id);
    }
  };
  struct Counted {
    Unit unit;
    SlidingWindow window;
  };
  struct State {
    /// The one that counts for the limit at that place of the set; null: none does yet.
    SlidingWindow* window(const LimitSet& limits, std::size_t place);

    std::vector<Counted> windows;
    std::int64_t in_flight = 0;
    std::uint32_t tickets = 0;  // that name this state: it stays
  };
  using States = std::unordered_map<Key, State, Hash, Equal>;
  struct Shard {
    std::mutex mutex;
    States states;
    std::array<State, scope_kinds> overflow;  // of those for whom there is no place
    std::size_t next_bucket = 0;              // where the search for idle ones goes on
  };

 public:
  /// What one call took, in the scopes that it belongs to. Gives its place in flight back when it is destroyed;
  /// requests and tokens count on, as they must. Belongs to its call.
  class Ticket {
   public:
    Ticket() noexcept {}  // NOLINT(modernize-use-equals-default): would fill held_ with zeroes each time
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { release(); }

    /// The call is over.
    void release();
    /// As if it had never been: for a call that another part of the gateway refused.
    void give_back();
    /// What was really used, in place of the estimate. More than that counts from `now` on.
    void settle_tokens(std::int64_t tokens, platform::Instant now);
    [[nodiscard]] const std::optional<Standing>& standing(Unit unit) const {
      return standings_[static_cast<std::size_t>(unit)];
    }

   private:
    friend class Limiter;
    struct Held {
      Shard* shard;
      State* state;            // null: not found yet
      const LimitSet* limits;  // the call pins them
      ScopeKind kind;
    };
    struct Taken {
      std::int64_t amount = 0;
      platform::Instant at{};
    };
    [[nodiscard]] std::span<Held> held() { return {held_.data(), count_}; }
    [[nodiscard]] Taken& taken(Unit unit) { return taken_[static_cast<std::size_t>(unit)]; }

    std::array<Held, scopes_per_call_max> held_;  // `count_` of them
    std::size_t count_ = 0;
    std::int64_t in_flight_ = 0;
    std::array<Taken, 2> taken_;  // by unit
    std::array<std::optional<Standing>, 2> standings_;
  };

  struct Ask {
    std::int64_t requests = 1;
    std::int64_t tokens = 0;
    std::int64_t in_flight = 1;
  };
  /// What is decided in the same moment: false, and nothing is taken. Must be short, and allocate nothing.
  class Also {
   public:
    virtual ~Also() = default;
    virtual bool take() = 0;
  };
  /// All of it in every scope, or nothing in any. The limit sets must live as long as the ticket; at most
  /// scopes_per_call_max scopes, each another one. An empty ticket where none has a limit. `also` is asked while nobody
  /// else can decide, once all limits grant it.
  std::expected<Ticket, Refusal> take(std::span<const Scope> scopes, Ask ask, platform::Instant now,
                                      Also* also = nullptr);
  /// For an attempt of a call that was admitted: tokens in all its scopes, or in none; then it tells why. They take the
  /// place of those of the attempt before, which count on.
  std::optional<Refusal> take_tokens(Ticket& ticket, std::int64_t tokens, platform::Instant now, Also* also = nullptr);

  /// Scopes that are remembered, and calls in flight in all of them together (one call in two scopes counts twice).
  [[nodiscard]] std::size_t scopes() const;
  [[nodiscard]] std::int64_t in_flight() const;

 private:
  static constexpr std::size_t shard_count = 16;
  class Locks;
  struct Spare;
  /// By place in the ticket, of scopes whose state is not known yet; empty where all are known.
  using Keys = std::span<const KeyView>;

  std::optional<Refusal> decide(Ticket& ticket, Keys keys, Ask ask, platform::Instant now, Also* also);
  bool find_state(Ticket::Held& one, const KeyView& key, Spare* spare, platform::Instant now,
                  std::vector<States::node_type>& dropped) const;
  static bool make_ready(const Ticket::Held& one, Spare* spare, platform::Instant now);
  static std::optional<Refusal> grant(Ticket& ticket, Ask ask, platform::Instant now, Also* also);
  static std::vector<Spare> make_spares(std::span<const Ticket::Held> held, Keys keys);
  static bool is_idle(State& state, platform::Instant now);
  void drop_idle(Shard& shard, platform::Instant now, std::vector<States::node_type>& dropped) const;

  Options options_;
  mutable std::array<Shard, shard_count> shards_;
};

}  // namespace weir::limits
