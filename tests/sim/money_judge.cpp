#include "sim/money_judge.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "observe/json_time.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

constexpr Duration slack = 300ms;  // between a client's sending and the gateway's decision, at most

std::string text_at(const boost::json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

/// Of at most some dollars: exact in a double.
std::optional<std::int64_t> picodollars_at(const boost::json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) {
    return std::nullopt;
  }
  return std::llround(value->to_number<double>() * 1e12);
}

LedgerAttempt attempt_from(const boost::json::object& object) {
  const std::string target = text_at(object, "target");
  LedgerAttempt attempt{.provider = target.substr(0, target.find('/')),
                        .end_state = text_at(object, "end_state"),
                        .status = 0,
                        .upstream_request_id = text_at(object, "upstream_request_id"),
                        .connected = object.contains("connected_ms") && object.at("connected_ms").is_number(),
                        .charged = picodollars_at(object, "charged_usd"),
                        .reserved = std::nullopt};
  if (const auto* status = object.if_contains("status"); status != nullptr && status->is_int64()) {
    attempt.status = static_cast<int>(status->as_int64());
  }
  if (const auto* reserved = object.if_contains("reserved"); reserved != nullptr && reserved->is_object()) {
    attempt.reserved = picodollars_at(reserved->as_object(), "usd");
    attempt.expires = observe::parse_rfc3339(text_at(reserved->as_object(), "until")).value_or(platform::WallTime());
  }
  return attempt;
}

LedgerRow row_from(const boost::json::object& object) {
  LedgerRow row{.id = text_at(object, "id"),
                .call = text_at(object, "client_request_id"),
                .key_id = text_at(object, "key_id"),
                .tenant = text_at(object, "tenant"),
                .end_state = text_at(object, "end_state"),
                .attempts = {}};
  if (const auto* attempts = object.if_contains("attempts"); attempts != nullptr && attempts->is_array()) {
    for (const auto& attempt : attempts->as_array()) {
      row.attempts.push_back(attempt_from(attempt.as_object()));
    }
  }
  return row;
}

std::uint64_t serial_of(const LedgerAttempt& attempt) {
  constexpr std::string_view form = "up-";
  std::uint64_t serial = 0;
  if (attempt.upstream_request_id.starts_with(form)) {
    std::from_chars(attempt.upstream_request_id.data() + form.size(),
                    attempt.upstream_request_id.data() + attempt.upstream_request_id.size(), serial);
  }
  return serial;
}

class MoneyJudge {
 public:
  MoneyJudge(const MoneyScenario& scenario, const History& history, MoneyHistory& money,
             const std::vector<LedgerRow>& ledger)
      : scenario_(scenario), history_(history), money_(money), ledger_(ledger) {}

  std::vector<std::string> verdicts() {
    index();
    judge_rows();
    judge_upstream_calls();
    judge_unknown();
    judge_told_ends();
    judge_caps();
    for (const CallerPlan& caller : scenario_.callers) {
      judge_limits(caller);
    }
    judge_refusals();
    judge_coming_back();
    return std::move(violations_);
  }

 private:
  template <class... Arguments>
  void violate(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    violations_.push_back("money: " + fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  void index() {
    for (const LedgerRow& row : ledger_) {
      if (!rows_.emplace(row.call, &row).second) {
        violate("{} has two rows", row.call);
      }
    }
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      records_.emplace(history_.records[i]->client_request_id, i);
    }
    for (const UpstreamCall& upstream : history_.upstream_calls) {
      upstreams_.emplace(upstream.serial, &upstream);
    }
  }

  [[nodiscard]] const CallerPlan& caller_of(const LedgerRow& row) const {
    return *std::ranges::find(scenario_.callers, row.key_id, &CallerPlan::key_id);
  }
  [[nodiscard]] const RequestRecord* record_of(const std::string& call) const {
    const auto found = records_.find(call);
    return found == records_.end() ? nullptr : history_.records[found->second].get();
  }

  /// Each row by itself: what was answered is paid for as the provider told, what was not is free, and nothing costs
  /// more than was held for it.
  void judge_rows() {
    std::set<std::string> ids;
    std::set<std::uint64_t> serials;
    for (const LedgerRow& row : ledger_) {
      if (!ids.insert(row.id).second) {
        violate("two rows have the id {}", row.id);
      }
      if (std::ranges::none_of(history_.client_calls,
                               [&](const ClientCall& call) { return call.plan.id == row.call; })) {
        violate("a row of a call that nobody made: {}", row.call);
      }
      for (const LedgerAttempt& attempt : row.attempts) {
        const std::uint64_t serial = serial_of(attempt);
        if (serial != 0 && !serials.insert(serial).second) {
          violate("two attempts have the answer {}", attempt.upstream_request_id);
        }
        judge_attempt(row, attempt);
      }
    }
  }

  void judge_attempt(const LedgerRow& row, const LedgerAttempt& attempt) {
    if (!attempt.reserved) {
      violate("an attempt of {} held nothing", row.call);
      return;
    }
    if (attempt.end_state == "unknown") {
      if (attempt.charged) {
        violate("an attempt of {} whose end nobody saw was charged", row.call);
      }
      return;
    }
    if (!attempt.charged) {
      violate("an attempt of {} ended ({}) and was not charged for", row.call, attempt.end_state);
      return;
    }
    if (*attempt.charged < 0 || *attempt.charged > *attempt.reserved) {
      violate("an attempt of {} held {} picodollars and was charged {}", row.call, *attempt.reserved, *attempt.charged);
    }
    const bool free = attempt.status >= 300 || (attempt.status == 0 && !attempt.connected);
    if (free && *attempt.charged != 0) {
      violate("an attempt of {} that got nothing (status {}) was charged {}", row.call, attempt.status,
              *attempt.charged);
    }
    const auto upstream = upstreams_.find(serial_of(attempt));
    if (attempt.end_state == "complete" && attempt.status == 200 && upstream != upstreams_.end()) {
      const bool told = !upstream->second->stream || upstream->second->usage_asked;
      const std::int64_t due =
          7 * input_price + static_cast<std::int64_t>(upstream->second->intent.words) * output_price;
      // A stream whose end came without its last events has told nothing.
      if (told && upstream->second->done_sent && !upstream->second->link->disturbed && *attempt.charged != due) {
        violate("{} asked {} picodollars for {}, and the ledger says {}", attempt.provider, due, row.call,
                *attempt.charged);
      }
    }
  }

  /// Each call that an upstream saw has its attempt row, whatever became of the gateway.
  void judge_upstream_calls() {
    struct Seen {
      std::size_t calls = 0;
      std::int64_t dearest = 0;
    };
    std::map<std::pair<std::string, std::string>, Seen> seen;
    for (const UpstreamCall& upstream : history_.upstream_calls) {
      if (upstream.call.empty()) {
        continue;  // it did not come so far as to say who it is
      }
      Seen& one = seen[{upstream.call, upstream.upstream}];
      ++one.calls;
      one.dearest =
          std::max(one.dearest, 7 * input_price + static_cast<std::int64_t>(upstream.words_sent) * output_price);
    }
    for (const auto& [who, saw] : seen) {
      const auto& [call, provider] = who;
      const auto row = rows_.find(call);
      if (row == rows_.end()) {
        violate("{} was asked by {}, and the ledger has no row of it", provider, call);
        continue;
      }
      std::size_t may_have = 0;
      std::size_t answered = 0;
      bool held_enough = false;
      for (const LedgerAttempt& attempt : row->second->attempts) {
        if (attempt.provider == provider) {
          may_have += attempt.connected || attempt.end_state == "unknown" ? 1 : 0;
          answered += attempt.status != 0 ? 1 : 0;
          held_enough = held_enough || attempt.reserved.value_or(0) >= saw.dearest;
        }
      }
      if (saw.calls > may_have || answered > saw.calls) {
        violate("{} saw {} calls of {}, and the ledger has {}, {} of them answered", provider, saw.calls, call,
                may_have, answered);
      }
      if (!held_enough) {
        violate("what {} did for {} cost {} picodollars, and less was held", provider, call, saw.dearest);
      }
    }
  }

  /// The process that was asked.
  [[nodiscard]] std::size_t process_of(const ClientCall& call) const {
    const auto later = std::ranges::upper_bound(money_.began, call.started);
    return static_cast<std::size_t>(later - money_.began.begin()) - 1;
  }

  /// A row without an end belongs to a call that ran when a process died.
  void judge_unknown() {
    std::vector<std::size_t> in_flight(money_.deaths.size(), 0);
    for (const ClientCall& call : history_.client_calls) {
      const std::size_t process = process_of(call);
      const auto record = records_.find(call.plan.id);
      in_flight[process] +=
          record == records_.end() || record->second >= money_.deaths[process].value_or(Death{}).records;
    }
    std::vector<std::size_t> unknown_of(money_.deaths.size(), 0);
    for (const LedgerRow& row : ledger_) {
      if (row.end_state == "unknown") {
        const auto call =
            std::ranges::find_if(history_.client_calls, [&](const ClientCall& one) { return one.plan.id == row.call; });
        ++unknown_of[process_of(*call)];
        judge_unknown_row(row);
      }
    }
    for (std::size_t process = 0; process < unknown_of.size(); ++process) {
      const std::size_t ran = money_.deaths[process] ? in_flight[process] : 0;
      money_.states.count("killed while calls ran", ran > 0 ? 1 : 0);
      if (unknown_of[process] > ran) {
        violate("{} rows have no end, and {} calls were in flight when their process died", unknown_of[process], ran);
      }
    }
    const std::size_t unknown = std::accumulate(unknown_of.begin(), unknown_of.end(), std::size_t{0});
    money_.states.count("call unknown", unknown);
    // Who died in the midst of a recovery has not told of it.
    if (money_.recovered_unknown > unknown ||
        (money_.states.of("killed in recovery") == 0 && money_.recovered_unknown != unknown)) {
      violate("{} rows have no end, and the recoveries told of {}", unknown, money_.recovered_unknown);
    }
  }

  void judge_unknown_row(const LedgerRow& row) {
    if (records_.contains(row.call)) {
      violate("{} ended, and its row says that nobody knows", row.call);
    }
    if (row.attempts.empty() || row.attempts.back().end_state != "unknown") {
      violate("{} is unknown, and its last attempt is not", row.call);
      return;
    }
    const bool asked =
        std::ranges::any_of(history_.upstream_calls, [&](const UpstreamCall& one) { return one.call == row.call; });
    money_.states.count(asked ? "attempt unknown, provider asked" : "attempt unknown, provider never asked");
  }

  /// What a living process told is what the store has.
  void judge_told_ends() {
    for (const auto& record : history_.records) {
      const auto row = rows_.find(record->client_request_id);
      switch (record->end_state) {
        case EndState::complete: money_.states.count("call complete"); break;
        case EndState::client_abort: money_.states.count("call left by its caller"); break;
        case EndState::upstream_error: money_.states.count("call failed upstream"); break;
        case EndState::gateway_error: money_.states.count("call refused or failed here"); break;
        case EndState::open: violate("{} was told as open", record->client_request_id); break;
      }
      if (row == rows_.end()) {
        violate("{} ended, and the ledger has no row of it", record->client_request_id);
        continue;
      }
      std::int64_t charged = 0;
      for (const auto& attempt : record->attempts) {
        charged += attempt.reserved->charged.value_or(ledger::Money{}).in_picodollars();
      }
      if (row->second->id != record->id || row->second->end_state != to_string(record->end_state) ||
          row->second->charged() != charged) {
        violate("{} ended with {} and {} picodollars, and its row says {} and {}", record->client_request_id,
                to_string(record->end_state), charged, row->second->end_state, row->second->charged());
      }
    }
  }

  void judge_caps() {
    for (const CallerPlan& caller : scenario_.callers) {
      judge_cap(caller.name, caller.cap, [&](const LedgerRow& row) { return row.key_id == caller.key_id(); });
    }
    for (const auto& [tenant, cap] : scenario_.tenant_caps) {
      judge_cap(tenant, cap, [&](const LedgerRow& row) { return row.tenant == tenant; });
    }
  }

  template <class Pays>
  void judge_cap(const std::string& name, std::int64_t cap, Pays pays) {
    std::int64_t spent = 0;
    for (const LedgerRow& row : ledger_) {
      spent += pays(row) ? row.charged() : 0;
    }
    if (cap > 0 && spent > cap) {
      violate("{} has spent {} picodollars of a budget of {}", name, spent, cap);
    }
  }

  // --- limits

  /// A call that was let in, or may have been; with all that is known of when.
  struct Admission {
    Instant earliest;
    Instant latest;
    Instant ended;
    bool certain = true;
    bool given_back = false;  // a budget refused it: it counted while it was there, and then as if it had never been
  };

  static bool was_limited(const RequestRecord& record) { return record.refused_by.starts_with("the limit of"); }

  /// Those of one key that one process let in.
  [[nodiscard]] std::vector<Admission> admissions_of(const CallerPlan& caller, std::size_t process) const {
    std::vector<Admission> all;
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      const RequestRecord& record = *history_.records[i];
      if (record.key_id != caller.key_id() || money_.process_of_record[i] != process || was_limited(record)) {
        continue;
      }
      const Instant began = history_.settled_at[i] - record.duration;
      all.push_back({.earliest = began,
                     .latest = began + slack,
                     .ended = history_.settled_at[i],
                     .certain = !record.attempts.empty(),
                     .given_back = !record.refused_by.empty() && record.attempts.empty()});
    }
    for (const ClientCall& call : history_.client_calls) {
      if (call.plan.key == caller.key() && call.started >= money_.began[process] && !records_.contains(call.plan.id)) {
        all.push_back(
            {.earliest = call.started, .latest = platform::never, .ended = platform::never, .certain = false});
      }
    }
    return all;
  }

  void judge_limits(const CallerPlan& caller) {
    for (std::size_t process = 0; process < money_.began.size(); ++process) {
      const auto admissions = admissions_of(caller, process);
      for (const limits::WindowLimit& limit : caller.limits.windows) {
        if (limit.unit == limits::Unit::requests) {
          judge_window(caller, limit, admissions);
        }
      }
      for (std::size_t i = 0; i < history_.records.size(); ++i) {
        const RequestRecord& record = *history_.records[i];
        if (record.key_id == caller.key_id() && money_.process_of_record[i] == process && was_limited(record)) {
          judge_limited(caller, record, history_.settled_at[i], admissions);
        }
      }
    }
  }

  void judge_window(const CallerPlan& caller, const limits::WindowLimit& limit,
                    const std::vector<Admission>& admissions) {
    std::vector<Instant> certain;
    for (const Admission& one : admissions) {
      if (one.certain) {
        certain.push_back(one.earliest);
      }
    }
    std::ranges::sort(certain);
    const auto amount = static_cast<std::size_t>(limit.amount);
    for (std::size_t i = amount; i < certain.size(); ++i) {
      if (certain[i] - certain[i - amount] < limit.window - slack) {
        violate("{} has {}, and {} calls were let in within {} ms", caller.name, limits::to_text(limit), amount + 1,
                std::chrono::duration_cast<std::chrono::milliseconds>(certain[i] - certain[i - amount]).count());
        return;
      }
    }
  }

  /// Who was refused had used his limit: refusals and those who left count for nothing.
  void judge_limited(const CallerPlan& caller, const RequestRecord& record, Instant at,
                     const std::vector<Admission>& admissions) {
    // It may have waited for a provider's key before a budget refused it.
    const auto was_there = [&](const Admission& one) {
      return one.earliest <= at && one.ended >= at - record.duration;
    };
    if (caller.limits.in_flight > 0) {
      money_.states.count("429 in flight");
      const auto others = std::ranges::count_if(admissions, [&](const Admission& one) {
        return one.given_back ? was_there(one) : one.earliest <= at && one.ended >= at - slack;
      });
      if (others < caller.limits.in_flight) {
        violate("{} was refused for {} calls in flight, and {} were", record.client_request_id, caller.limits.in_flight,
                others);
      }
      return;
    }
    const limits::WindowLimit& limit = caller.limits.windows.front();
    if (limit.unit == limits::Unit::tokens) {
      money_.states.count("429 tokens");
      return;
    }
    money_.states.count("429 requests");
    const auto used = std::ranges::count_if(admissions, [&](const Admission& one) {
      return one.given_back ? was_there(one)
                            : one.earliest <= at && (one.latest == platform::never || one.latest + limit.window >= at);
    });
    if (used < limit.amount) {
      violate("{} was refused for {}, and {} calls had been let in", record.client_request_id, limits::to_text(limit),
              used);
    }
  }

  // --- budgets

  void judge_refusals() {
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      const RequestRecord& record = *history_.records[i];
      if (record.error_code == "store_unavailable") {
        money_.states.count("503 spending not read yet");
      }
      const bool exhausted = record.attempts.empty() && record.error_code == to_string(Code::quota_exhausted);
      const bool busy = record.attempts.empty() && record.error_code == to_string(Code::budget_busy);
      if (exhausted || busy) {
        money_.states.count(exhausted ? "402 budget exhausted" : "429 budget busy");
        judge_refused(record, i, busy);
      }
    }
  }

  /// Somebody who pays for the call has too little left for the most that it can cost; where that is held by others,
  /// there are others.
  void judge_refused(const RequestRecord& record, std::size_t number, bool busy) {
    const auto caller = std::ranges::find(scenario_.callers, record.key_id, &CallerPlan::key_id);
    constexpr std::int64_t body_bytes_max = 400;
    const std::int64_t most = body_bytes_max * input_price + caller->output_max * output_price;
    bool justified = false;
    const auto ask = [&](std::int64_t cap, auto&& pays) {
      std::int64_t spent = 0;
      bool others = false;
      for (const LedgerRow& row : ledger_) {
        if (!pays(row) || row.call == record.client_request_id) {
          continue;
        }
        const auto settled = records_.find(row.call);
        const Instant end = settled == records_.end() ? platform::never : history_.settled_at[settled->second];
        const Instant began =
            settled == records_.end() ? Instant::min() : end - history_.records[settled->second]->duration;
        const Instant now = history_.settled_at[number];
        spent += end == platform::never || began <= now ? row.charged() : 0;
        others =
            others || (!row.attempts.empty() && began <= now && end + (end == platform::never ? 0ms : slack) >= now);
      }
      justified = justified || (busy ? others : cap > 0 && spent + most > cap);
    };
    if (caller->cap > 0) {
      ask(caller->cap, [&](const LedgerRow& row) { return row.key_id == caller->key_id(); });
    }
    for (const auto& [tenant, cap] : scenario_.tenant_caps) {
      if (tenant == caller->tenant) {
        ask(cap, [&](const LedgerRow& row) { return row.tenant == tenant; });
      }
    }
    if (!justified) {
      violate("{} was refused ({}), and nobody had spent or held what it needs", record.client_request_id,
              record.error_code);
    }
  }

  /// Who is alone with his key and comes back when he was told to is let in.
  void judge_coming_back() {
    const ClientCall* before = nullptr;
    for (const ClientPlan& client : scenario_.base.clients) {
      before = nullptr;
      for (const CallPlan& plan : client.calls) {
        const auto call =
            std::ranges::find_if(history_.client_calls, [&](const ClientCall& one) { return one.plan.id == plan.id; });
        const RequestRecord* record = record_of(plan.id);
        if (call == history_.client_calls.end() || record == nullptr || !client.comes_back_as_told) {
          before = nullptr;
          continue;
        }
        const RequestRecord* told = before == nullptr ? nullptr : record_of(before->plan.id);
        if (told != nullptr && was_limited(*told) && before->headers.contains("retry-after") && before->ended_at &&
            call->link == before->link && !call->left) {  // who leaves may be overtaken by his next call
          money_.states.count("came back as told");
          if (was_limited(*record)) {
            violate("{} came back after {} s as it was told, and was refused again", plan.id,
                    before->headers.at("retry-after"));
          }
        }
        before = &*call;
      }
    }
  }

  const MoneyScenario& scenario_;
  const History& history_;
  MoneyHistory& money_;
  const std::vector<LedgerRow>& ledger_;
  std::map<std::string, const LedgerRow*> rows_;
  std::map<std::string, std::size_t> records_;
  std::map<std::uint64_t, const UpstreamCall*> upstreams_;
  std::vector<std::string> violations_;
};

}  // namespace

std::int64_t LedgerRow::charged() const {
  std::int64_t sum = 0;
  for (const LedgerAttempt& attempt : attempts) {
    sum += attempt.charged.value_or(0);
  }
  return sum;
}

std::vector<LedgerRow> read_ledger(store::Store& store) {
  std::vector<LedgerRow> rows;
  store::RequestQuery query;
  query.limit = 500;
  do {
    const auto page = store.requests().list(query);
    if (!page) {
      return {};
    }
    for (const std::string& record : page->records) {
      rows.push_back(row_from(boost::json::parse(record).as_object()));
    }
    query.after = page->next;
  } while (!query.after.empty());
  return rows;
}

bool pays(const ledger::Budgets::Standing& owner, const LedgerRow& row) {
  switch (owner.owner) {
    case ledger::OwnerKind::global: return true;
    case ledger::OwnerKind::tenant: return owner.id == row.tenant;
    case ledger::OwnerKind::key: return owner.id == row.key_id;
    default: return false;
  }
}

std::vector<std::string> judge_money(const MoneyScenario& scenario, const History& history, MoneyHistory& money,
                                     const std::vector<LedgerRow>& ledger) {
  return MoneyJudge(scenario, history, money, ledger).verdicts();
}

}  // namespace weir::sim
