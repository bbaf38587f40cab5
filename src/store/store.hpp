#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "platform/clock.hpp"
#include "store/api_keys.hpp"
#include "store/audit_log.hpp"
#include "store/tenants.hpp"

/// What is kept over the end of the process, behind one interface for each aggregate. Every implementation passes the
/// suites on contract_suite.hpp. All of it blocks: for a thread of its own (worker.hpp), never for a request thread.
/// Errors: store_unavailable, with the database's words; nothing was changed then.
namespace weir::store {

/// One upstream call, as analysts see it.
struct InferenceAttempt {
  std::string provider;
  std::string upstream_model;
  int status = 0;
  std::string end_state;
  std::string failure;
  std::optional<double> started_ms;
  std::optional<double> first_token_ms;
  std::optional<double> ended_ms;
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> cached_input_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<std::int64_t> reasoning_tokens;
  std::optional<std::int64_t> cost_picodollars;  // whole 1e-12 US dollars
};

/// One call, as analysts see it. Empty texts are null in the database but where a column is never null.
struct InferenceLog {
  std::string id;  // sorts by time
  std::string time;
  std::string tenant;
  std::string key_id;
  std::string endpoint;
  std::string model;
  std::string provider;
  std::string upstream_model;
  bool stream = false;
  bool cached = false;
  int status = 0;
  std::string end_state;
  std::string error_code;
  std::optional<double> duration_ms;
  std::optional<double> first_token_ms;
  std::optional<double> added_ms;
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> cached_input_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<std::int64_t> reasoning_tokens;
  std::string usage_source;
  std::optional<std::int64_t> cost_picodollars;  // whole 1e-12 US dollars
  std::vector<InferenceAttempt> attempts;
};

/// Which calls: all that a member names must be so.
struct RequestQuery {
  std::string key_id;
  std::string model;
  std::string tenant;
  std::optional<int> status_from;
  std::optional<int> status_to;
  std::string end_state;
  std::string from;   // ids from this one on; empty: all
  std::string after;  // go on behind this id, towards older ones; empty: from the newest
  int limit = 100;
};
struct RequestPage {
  std::vector<std::string> records;  // JSON objects, the newest first
  std::string next;                  // for `after`; empty: there are no more
};

struct UsageQuery {
  bool by_key = false;
  bool by_tenant = false;
  bool by_model = false;
  bool by_day = false;  // UTC
  std::string from;     // the first id, empty: of all
  std::string to;       // the first id that is not part of it, empty: none
  std::string key_id;   // of this one alone; empty: of all, as are the next two
  std::string tenant;
  std::string model;
};
struct UsageRow {
  std::string key_id;  // members that are not grouped by are empty
  std::string tenant;
  std::string model;
  std::string day;
  std::int64_t requests = 0;
  std::int64_t errors = 0;  // did not end well for the caller
  std::int64_t attempts = 0;
  std::int64_t cached = 0;
  std::int64_t input_tokens = 0;
  std::int64_t cached_input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::optional<std::int64_t> cost_picodollars;  // of those whose cost is known; nothing: of none
  std::int64_t unpriced = 0;                     // calls that reached a provider and whose cost is not known
  friend bool operator==(const UsageRow&, const UsageRow&) = default;
};

/// Whether what is put may be there already.
enum class Repeats : std::uint8_t { possible, none };

/// Calls that have ended, and their attempts. Their records are in the form of call_form.hpp.
class RequestLog {
 public:
  virtual ~RequestLog() = default;
  /// All or nothing; what has no id is an error. A call whose id is there already stays as it is: what
  /// is put twice is there once. `Repeats::none` spares the search for it: the caller knows that none is there.
  virtual Result<void> put(std::span<const std::string_view> records, Repeats repeats) = 0;
  /// The record of one call, as a JSON object.
  virtual Result<std::optional<std::string>> find(std::string_view id) = 0;
  virtual Result<RequestPage> list(const RequestQuery& query) = 0;
  /// Shows the record of each call whose id is not below `from`, as it was put, in any order; a view for as long as
  /// `show` runs.
  virtual Result<void> visit(std::string_view from, const std::function<void(std::string_view record)>& show) = 0;
  /// Sorted by day, tenant, key, model.
  virtual Result<std::vector<UsageRow>> usage(const UsageQuery& query) = 0;
  /// Removes the oldest of the calls before the id `before`, with their attempts: about `calls_max`, as calls that were
  /// put together may only go together, and then when the last of them is old enough. How many went.
  virtual Result<std::int64_t> remove_oldest(std::string_view before, std::int64_t calls_max) = 0;
};

/// An open store. Belongs to one thread at a time.
class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual RequestLog& requests() = 0;
  [[nodiscard]] virtual ApiKeys& keys() = 0;
  [[nodiscard]] virtual Tenants& tenants() = 0;
  [[nodiscard]] virtual AuditLog& audit() = 0;
  /// What `work` changes in keys, tenants and the audit log, and what it read before, happens at once: nobody else
  /// changes anything in between. Nothing of it is kept where it fails. For short work; it does not nest, and
  /// requests() has no part in it.
  virtual Result<void> atomically(const std::function<Result<void>()>& work) = 0;
  /// What was written before survives a power loss when this returns.
  virtual Result<void> make_durable() = 0;
  /// The bytes that it takes, without room that is free inside.
  virtual Result<std::int64_t> bytes() = 0;
  /// Gives room that is free inside back to the disk.
  virtual Result<void> shrink() = 0;
  /// A copy that is consistent in itself, while others go on writing. The file must not be there.
  virtual Result<void> backup(const std::string& file) = 0;
  [[nodiscard]] virtual int schema_version() = 0;
  /// `told` is called again and again, on the same thread, while a question to requests() that has much to read goes
  /// forward: a long question is then told from a store that is stuck.
  virtual void on_progress(std::function<void()> told) = 0;
};

/// The first id that a call of that moment can have: where a span of time begins.
[[nodiscard]] std::string first_id_at(platform::WallTime time);

/// In memory, for tests and for `store: {url: none}`.
[[nodiscard]] std::unique_ptr<Store> make_memory_store();

}  // namespace weir::store
