#include "sim/judge.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <algorithm>
#include <set>
#include <span>

#include "sim/judge_routing.hpp"

namespace weir::sim {

using namespace std::chrono_literals;
using ledger::AttemptRecord;
using ledger::EndState;
using ledger::RequestRecord;

namespace {

/// The data of each event of a body, read as a client would; what comes without its empty line is told apart.
struct Events {
  std::vector<std::string> data;
  std::string rest;
};

Events events_of(std::string_view body) {
  Events events;
  std::string data;
  bool has_data = false;
  std::size_t event_begin = 0;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find_first_of("\r\n", at);
    if (end == std::string_view::npos) {
      break;
    }
    const std::string_view line = body.substr(at, end - at);
    at = end + (body.substr(end).starts_with("\r\n") ? 2 : 1);
    if (line.empty()) {
      if (has_data) {
        events.data.push_back(data);
      }
      data.clear();
      has_data = false;
      event_begin = at;
    } else if (line.starts_with("data: ")) {
      data += (has_data ? "\n" : "") + std::string(line.substr(6));
      has_data = true;
    } else if (!line.starts_with(':')) {
      events.data.push_back(
          std::string(line));  // no field that an upstream sends: judged as an event, and fails as one
    }
  }
  events.rest = body.substr(event_begin);
  return events;
}

bool is_error(const std::string& data) {
  return data.starts_with("{\"error\":");
}

/// The gateway's own words, begun: no upstream's error is passed on.
bool is_error_in_part(std::string_view rest) {
  return rest.starts_with("data: {\"error\":");
}

/// The words of an answer: `w<serial>.<number>;` and filler.
struct Words {
  std::set<std::uint64_t> serials;
  std::vector<std::uint64_t> numbers;
};

void read_words(std::string_view text, Words& words) {
  for (std::size_t at = text.find('w'); at != std::string_view::npos; at = text.find('w', at + 1)) {
    const std::size_t dot = text.find('.', at);
    const std::size_t end = text.find(';', at);
    if (dot == std::string_view::npos || end == std::string_view::npos || dot > end) {
      words.serials.insert(0);  // half a word: nobody has the serial 0
      return;
    }
    words.serials.insert(std::stoull(std::string(text.substr(at + 1, dot - at - 1))));
    words.numbers.push_back(std::stoull(std::string(text.substr(dot + 1, end - dot - 1))));
  }
}

/// The text of one event or of a whole answer; nothing if it is not JSON.
std::optional<std::string> text_of(const std::string& json) {
  boost::system::error_code broken;
  const boost::json::value value = boost::json::parse(json, broken);
  if (broken || !value.is_object()) {
    return std::nullopt;
  }
  std::string text;
  if (const auto* choices = value.as_object().if_contains("choices"); choices != nullptr && choices->is_array()) {
    for (const auto& choice : choices->as_array()) {
      for (const char* place : {"delta", "message"}) {
        const auto* holder = choice.is_object() ? choice.as_object().if_contains(place) : nullptr;
        const auto* content =
            holder != nullptr && holder->is_object() ? holder->as_object().if_contains("content") : nullptr;
        if (content != nullptr && content->is_string()) {
          text += content->as_string();
        }
      }
    }
  }
  return text;
}

bool callers_fault(int status) {
  return status == 400 || status == 422;
}

class Judge {
 public:
  Judge(const Scenario& scenario, History& history) : scenario_(scenario), history_(history) {}

  std::vector<std::string> verdicts() {
    for (const ClientCall& call : history_.client_calls) {
      judge_call(call);
    }
    judge_records();
    judge_keys();
    judge_routing(scenario_, history_, violations_);
    for (const std::string& violation : history_.end_violations) {
      violations_.push_back(violation);
    }
    return std::move(violations_);
  }

 private:
  template <class... Arguments>
  void violate(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    violations_.push_back((call_ != nullptr ? call_->plan.id + ": " : "") +
                          fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  [[nodiscard]] const UpstreamCall* upstream_call(std::uint64_t serial) const {
    const auto found = std::ranges::find(history_.upstream_calls, serial, &UpstreamCall::serial);
    return found == history_.upstream_calls.end() ? nullptr : &*found;
  }

  void judge_call(const ClientCall& call) {
    call_ = &call;
    row_ = nullptr;
    upstreams_.clear();
    for (const UpstreamCall& upstream : history_.upstream_calls) {
      if (upstream.call == call.plan.id) {
        upstreams_.push_back(&upstream);
      }
    }
    // Whether the client did its part: then it must have an answer, and a definite one.
    stayed_ = !call.left && !call.link->disturbed && !call.abandoned;
    drained_ = history_.drain_began && (!call.ended_at || *call.ended_at >= *history_.drain_began);

    if (!call.broken_framing.empty()) {
      violate("the response breaks HTTP: {}", call.broken_framing);
    }
    const auto date = call.headers.find("date");
    if (call.status != 0 &&
        (date == call.headers.end() || date->second.size() != 29 || !date->second.ends_with(" GMT"))) {
      violate("the Date header is no date");
    }
    if (call.out_of_patience && stayed_) {
      violate("the call hangs");
    }
    find_row();
    judge_leaving();
    if (call.status == 0) {
      if (stayed_ && call.sent && (drained_ ? row_ != nullptr && could_take_it() : !closed_as_idle())) {
        violate("no answer came");
      }
      count(call.left ? "client left" : "cut");
    } else if (call.status == 200 && call.headers.contains("content-type") &&
               call.headers.at("content-type").starts_with("text/event-stream")) {
      judge_stream();
    } else if (call.status == 200) {
      judge_whole();
    } else {
      judge_error();
    }
    if (row_ != nullptr) {
      judge_row();
    }
    call_ = nullptr;
  }

  /// The gateway closed the connection because nothing had come for its idle time; that may cross the next request on
  /// its way.
  [[nodiscard]] bool closed_as_idle() const {
    const auto closed = call_->link->closed[platform::SimulatedConnection::accepting];
    const auto busy = [&](const ClientCall& other) {
      return &other != call_ && other.link == call_->link && other.sent && *closed - *other.sent < 75s;
    };
    return closed && *closed <= *call_->sent + 1s && std::ranges::none_of(history_.client_calls, busy);
  }

  void count(std::string_view outcome) { history_.reached.count_outcome(outcome); }

  // --- rows
  // -----------------------------------------------------------------------------------------------------------

  void find_row() {
    const auto of_call = [this](const ledger::RecordPtr& record) {
      return record->client_request_id == call_->plan.id;
    };
    const auto rows = std::ranges::count_if(history_.records, of_call);
    if (rows > 1) {
      violate("{} request rows", rows);
    }
    const bool refused_at_the_door = call_->headers.contains("x-weir-attempts") &&
                                     call_->headers.at("x-weir-attempts") == "0" &&
                                     (call_->status == 408 || call_->status == 503);
    if (rows == 0 && (!upstreams_.empty() || (call_->status != 0 && !refused_at_the_door))) {
      violate("no request row, though the call was made");
    }
    if (rows == 1) {
      row_ = std::ranges::find_if(history_.records, of_call)->get();
    }
    if (row_ != nullptr && call_->status != 0) {
      const auto id = call_->headers.find("x-weir-request-id");
      if (id == call_->headers.end() || id->second != row_->id) {
        violate("the response's x-weir-request-id is not its row's");
      }
      if (row_->status != call_->status && !drained_) {
        violate("the row says status {}, the client got {}", row_->status, call_->status);
      }
    }
  }

  static std::string provider_of(const AttemptRecord& attempt) {
    return attempt.target.substr(0, attempt.target.find('/'));
  }

  [[nodiscard]] const AttemptRecord* attempt_of(const UpstreamCall& upstream) const {
    const auto found =
        std::ranges::find(row_->attempts, fmt::format("up-{}", upstream.serial), &AttemptRecord::upstream_request_id);
    return found == row_->attempts.end() ? nullptr : &*found;
  }

  /// It answered that its model has too small a window: another one may have a larger one.
  [[nodiscard]] bool is_too_long(const AttemptRecord& attempt) const {
    return std::ranges::any_of(upstreams_, [&](const UpstreamCall* upstream) {
      return attempt_of(*upstream) == &attempt && upstream->intent.says == context_window;
    });
  }

  void judge_row() {
    std::map<std::string, std::size_t> asked;
    std::map<std::string, std::size_t> answered;
    std::map<std::string, std::size_t> connected;
    std::size_t committed = 0;
    for (std::size_t i = 0; i < row_->attempts.size(); ++i) {
      const AttemptRecord& attempt = row_->attempts[i];
      ++asked[provider_of(attempt)];
      answered[provider_of(attempt)] += attempt.status != 0 ? 1 : 0;
      connected[provider_of(attempt)] += attempt.connected ? 1 : 0;
      if (attempt.end_state == EndState::open || !attempt.ended) {
        violate("attempt {} was never closed", i + 1);
      }
      if (attempt.end_state == EndState::complete && i + 1 < row_->attempts.size()) {
        violate("attempt {} is complete, and another follows", i + 1);
      }
      if (is_too_long(attempt)) {
        const auto rest = std::span(row_->attempts).subspan(i + 1);
        if (std::ranges::find(rest, attempt.target, &AttemptRecord::target) != rest.end()) {
          violate("{} said that the request is too long for its model, and was asked again", provider_of(attempt));
        }
      } else if (callers_fault(attempt.status) && attempt.recovery.empty() && i + 1 < row_->attempts.size()) {
        violate("{} said that the request itself is wrong, and somebody else was asked", provider_of(attempt));
      }
      judge_limits(attempt);
      judge_patience(attempt);
      if (attempt.silent_retry) {
        const AttemptRecord* before = i == 0 ? nullptr : &row_->attempts[i - 1];
        if (before == nullptr || before->target != attempt.target || !before->reused_connection ||
            before->status != 0) {
          violate("attempt {} repeats in silence what was no closed kept-alive connection", i + 1);
        }
      }
      if (!attempt.recovery.empty() && committed == 0) {
        violate("attempt {} was to go on with an answer, and none had begun", i + 1);
      }
      if (attempt.first_token) {
        ++committed;
        if (i + 1 < row_->attempts.size() && row_->attempts[i + 1].recovery.empty()) {
          violate("attempt {} delivered content, and another follows that does not go on with it", i + 1);
        }
        if (committed > 1 && attempt.recovery.empty()) {
          violate("attempt {} delivered content, and did not go on with what had left", i + 1);
        }
      }
      if (!attempt.upstream_request_id.empty()) {
        const UpstreamCall* upstream = upstream_call(std::stoull(attempt.upstream_request_id.substr(3)));
        if (upstream == nullptr || upstream->call != call_->plan.id || upstream->upstream != provider_of(attempt)) {
          violate("attempt {} has the answer of somebody else", i + 1);
        }
      }
    }
    for (const auto& [provider, times] : answered) {
      const auto seen = static_cast<std::size_t>(
          std::ranges::count(upstreams_, provider, [](const UpstreamCall* u) { return u->upstream; }));
      if (seen < times) {
        violate("{} answered attempts on {}, which saw {} requests", times, provider, seen);
      }
      if (seen > connected[provider]) {
        violate("{} saw {} requests, and there are {} connected attempts", provider, seen, connected[provider]);
      }
    }
    for (const UpstreamCall* upstream : upstreams_) {
      if (!asked.contains(upstream->upstream)) {
        violate("{} was asked, and no attempt row says so", upstream->upstream);
      }
    }
    if ((committed > 1) != !row_->recovered_from.empty()) {
      violate("{} attempts delivered content, and the row says recovered from \"{}\"", committed, row_->recovered_from);
    }
    const auto told = call_->headers.find("x-weir-attempts");
    const auto first =
        std::ranges::find_if(row_->attempts, [](const AttemptRecord& a) { return a.first_token.has_value(); });
    const auto before_head = first == row_->attempts.end()
                                 ? row_->attempts.size()
                                 : static_cast<std::size_t>(first - row_->attempts.begin()) + 1;
    if (told != call_->headers.end() && told->second != std::to_string(before_head)) {
      violate("the client was told of {} attempts, there were {} before the head", told->second, before_head);
    }
    judge_waits();
  }

  /// No attempt waits for longer than its limits, as long as nothing of its answer is being delivered.
  void judge_limits(const AttemptRecord& attempt) {
    if (attempt.first_token || !attempt.started || !attempt.ended) {
      return;
    }
    const Duration took = *attempt.ended - *attempt.started;
    const Duration limit =
        call_->plan.stream ? Duration(scenario_.timeouts.first_token) : Duration(scenario_.timeouts.attempt);
    const Duration error_body = attempt.status != 0 && attempt.status != 200 ? Duration(10s) : Duration(0s);
    // One that repeats what had left brings content all the while.
    if (took > limit + error_body + 100ms && attempt.recovery.empty()) {
      violate("an attempt took {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
    }
    // To wait for one of few connections is no part of connecting.
    const bool may_wait = scenario_.upstream_connections < 10;
    if (!attempt.connected && !may_wait && took > scenario_.timeouts.connect + 100ms) {
      violate("connecting took {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
    }
  }

  /// Each attempt has its limits to itself: whatever an earlier one took, only the call's own limit shortens them.
  void judge_patience(const AttemptRecord& attempt) {
    if (attempt.failure != Code::timeout || !attempt.started || !attempt.ended || out_of_time()) {
      return;
    }
    const routing::Timeouts& timeouts = scenario_.timeouts;
    const bool content = call_->plan.stream && attempt.first_token;
    const Duration limit = !attempt.connected                     ? Duration(timeouts.connect)
                           : !call_->plan.stream                  ? Duration(timeouts.attempt)
                           : content || !attempt.recovery.empty() ? Duration(timeouts.between_events)
                                                                  : Duration(timeouts.first_token);
    const Duration waited = *attempt.ended - (content ? *attempt.first_token : *attempt.started);
    if (waited < limit) {
      violate("an attempt on {} was given up for its time after {} of {} ms", provider_of(attempt),
              std::chrono::duration_cast<std::chrono::milliseconds>(waited).count(),
              std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
    }
  }

  /// Whether this upstream, left alone, would have given the whole answer within the time that an attempt has.
  [[nodiscard]] bool was_in_time(const UpstreamCall& upstream) const {
    const Intent& intent = upstream.intent;
    const bool good = intent.upset == Upset::none ||
                      (intent.upset == Upset::slow && (!upstream.stream || intent.phase != Phase::after_content));
    if (!good || !scenario_.quiet_network) {
      return false;
    }
    // An attempt's time runs from its beginning, and some wait for a place among the connections first.
    const AttemptRecord* own = row_ == nullptr ? nullptr : attempt_of(upstream);
    const bool waited = row_ != nullptr && std::ranges::any_of(row_->attempts, [&](const AttemptRecord& attempt) {
                          return (own == nullptr ? provider_of(attempt) == upstream.upstream : &attempt == own) &&
                                 attempt.started && attempt.connected && *attempt.connected - *attempt.started > 50ms;
                        });
    if (waited) {
      return false;
    }
    const auto plan = std::ranges::find(scenario_.upstreams, upstream.upstream, &UpstreamPlan::name);
    const auto pauses = static_cast<Duration::rep>(upstream.stream ? 3 : intent.words + 3);
    const Duration slowest = intent.slow_for + (plan->pace.max + 10ms) * pauses + 50ms;
    return slowest <=
           (upstream.stream ? Duration(scenario_.timeouts.first_token) : Duration(scenario_.timeouts.attempt));
  }

  /// Retry-After is a floor for the next request of the same call to the same upstream.
  void judge_waits() {
    for (std::size_t i = 0; i < upstreams_.size(); ++i) {
      const UpstreamCall& refused = *upstreams_[i];
      if (refused.intent.upset != Upset::error || !refused.intent.retry_after || !refused.ended ||
          attempt_of(refused) == nullptr) {
        continue;
      }
      for (std::size_t j = i + 1; j < upstreams_.size(); ++j) {
        const UpstreamCall& later = *upstreams_[j];
        const auto given_up = later.link->closed[platform::SimulatedConnection::dialling];
        const bool was_on_its_way = given_up && *given_up <= *refused.ended;
        const bool other_key = refused.intent.status == 429 && later.key != refused.key;  // limits are each key's own
        if (later.upstream == refused.upstream && !was_on_its_way && !other_key &&
            later.received < *refused.ended + std::chrono::seconds(*refused.intent.retry_after)) {
          if (!lost_its_key(refused, later)) {
            violate("{} was asked again before its Retry-After had passed", refused.upstream);
          }
        }
      }
    }
  }

  /// It set out with another key, which another call found to be out while this one waited for a connection, and then
  /// there was none left that serves: it goes with the one that is back first.
  [[nodiscard]] bool lost_its_key(const UpstreamCall& refused, const UpstreamCall& later) const {
    const auto place = std::ranges::find(history_.records, row_, &ledger::RecordPtr::get) - history_.records.begin();
    const Instant began = history_.settled_at[static_cast<std::size_t>(place)] - row_->duration;
    std::optional<Instant> set_out;  // an attempt that is repeated in silence goes on from the one before
    for (const AttemptRecord& attempt : row_->attempts) {
      if (provider_of(attempt) == refused.upstream && !attempt.silent_retry && attempt.started &&
          began + *attempt.started <= later.received) {
        set_out = began + *attempt.started;
      }
    }
    const auto plan = std::ranges::find(scenario_.upstreams, refused.upstream, &UpstreamPlan::name);
    std::set<std::size_t> out = {refused.key};
    bool meanwhile = false;
    for (const UpstreamCall& other : history_.upstream_calls) {
      if (other.upstream == refused.upstream && other.key != refused.key && refuses_key(other) && other.ended &&
          *other.ended <= later.received) {
        out.insert(other.key);
        meanwhile = meanwhile || (set_out && other.call != call_->plan.id && *other.ended + 100ms >= *set_out);
      }
    }
    return later.key == refused.key && refused.intent.status == 429 && meanwhile && out.size() == plan->keys.size();
  }

  /// It gave the gateway a reason to leave its key alone for a while.
  static bool refuses_key(const UpstreamCall& upstream) {
    const int status = upstream.intent.upset == Upset::error ? upstream.intent.status : 0;
    return status == 401 || status == 402 || status == 403 || status == 429;
  }

  // --- leaving
  // --------------------------------------------------------------------------------------------------------

  void judge_leaving() {
    const auto noticed = call_->link->end_arrived[platform::SimulatedConnection::accepting];
    if (!noticed || (call_->ended_at && *noticed >= *call_->ended_at)) {
      return;
    }
    const Instant limit = *noticed + 1s;
    // From the client's own start: not later than the gateway's, so a row that ends too late by this is too late by any
    // measure.
    if (row_ != nullptr && call_->started + row_->duration > limit) {
      violate(
          "the client left, and its row was settled only {} ms later",
          std::chrono::duration_cast<std::chrono::milliseconds>(call_->started + row_->duration - *noticed).count());
    }
    for (const UpstreamCall* upstream : upstreams_) {
      const auto closed_by_us = upstream->link->closed[platform::SimulatedConnection::dialling];
      if (upstream->received > limit && !(closed_by_us && *closed_by_us <= limit)) {
        violate("{} was asked after the client had left", upstream->upstream);
        continue;
      }
      const auto closed_by_it = upstream->link->closed[platform::SimulatedConnection::accepting];
      const bool over = (closed_by_us && *closed_by_us <= limit) || (closed_by_it && *closed_by_it <= limit) ||
                        (upstream->body_ended && upstream->ended && *upstream->ended <= limit) ||
                        upstream->link->disturbed;
      if (!over) {
        violate("the client left, and its call to {} was not cancelled within a second", upstream->upstream);
      }
    }
  }

  // --- answers
  // --------------------------------------------------------------------------------------------------------

  /// The upstream call from which all of these words come; null if there is none.
  const UpstreamCall* source_of(const Words& words) {
    if (words.serials.empty()) {
      return nullptr;
    }
    if (words.serials.size() > 1) {
      violate("the text is mixed from {} answers", words.serials.size());
      return nullptr;
    }
    const UpstreamCall* source = upstream_call(*words.serials.begin());
    if (source == nullptr || source->call != call_->plan.id) {
      violate("the text belongs to another call");
      return nullptr;
    }
    for (std::size_t i = 0; i < words.numbers.size(); ++i) {
      if (words.numbers[i] != i) {
        violate("word {} stands where word {} belongs", words.numbers[i], i);
        return source;
      }
    }
    for (const UpstreamCall* upstream : upstreams_) {
      // A request that was on its way when the gateway gave it up may still arrive.
      const auto given_up = upstream->link->closed[platform::SimulatedConnection::dialling];
      if (call_->first_content_at && upstream->received > *call_->first_content_at &&
          !asked_to_go_on(upstream->upstream) && !(given_up && *given_up <= *call_->first_content_at)) {
        violate("{} was asked after content had reached the client", upstream->upstream);
      }
    }
    return source;
  }

  [[nodiscard]] bool asked_to_go_on(std::string_view upstream) const {
    return row_ != nullptr && std::ranges::any_of(row_->attempts, [&](const AttemptRecord& attempt) {
             return !attempt.recovery.empty() && provider_of(attempt) == upstream;
           });
  }

  /// They come after the silence that was set, and behind the first content only while somebody is to go on with it.
  void judge_keep_alives() {
    constexpr std::string_view form = ": keep-alive\n\n";
    const std::size_t data = call_->body.find("data: ");
    const std::size_t last = std::string_view(call_->body).substr(0, data).rfind(form);
    const std::size_t last_of_all = call_->body.rfind(form);
    // The end of the answer that broke off may be all there is to see of that.
    const bool broke_off = row_ != nullptr && std::ranges::any_of(row_->attempts, [](const AttemptRecord& attempt) {
                             return attempt.first_token && attempt.end_state == EndState::upstream_error;
                           });
    if (data != std::string::npos && last_of_all != std::string::npos && last_of_all > data && !broke_off) {
      violate("a keep-alive behind the first content");
    }
    if (!reads_quickly() || !call_->sent || !call_->plan.stream || drained_) {
      return;
    }
    const Instant due = *call_->sent + scenario_.keep_alive_after;
    if (call_->head_at && *call_->head_at > due + 100ms) {
      violate("no keep-alive came for {} ms",
              std::chrono::duration_cast<std::chrono::milliseconds>(*call_->head_at - *call_->sent).count());
    }
    if (last != std::string::npos && call_->head_at && *call_->head_at < due) {
      violate("a keep-alive came too early");
    }
  }

  void judge_stream() {
    judge_keep_alives();
    const Events events = events_of(call_->body);
    const bool ended = call_->ended_at.has_value();
    Words words;
    std::size_t terminals = 0;
    bool done = false;
    bool error = false;
    bool finish_seen = false;
    bool usage_seen = false;
    std::vector<std::string> relayed;
    std::string text_seen;
    for (const std::string& data : events.data) {
      if (terminals > 0) {
        violate("an event behind the end of the stream: {}", data.substr(0, 80));
      }
      if (data == "[DONE]") {
        done = true;
        ++terminals;
        continue;
      }
      const auto text = text_of(data);
      if (!text) {
        violate("an event is no JSON: {}", data.substr(0, 80));
        continue;
      }
      if (is_error(data)) {
        error = true;
        ++terminals;
        continue;
      }
      text_seen += *text;
      if (!call_->plan.same_text) {
        read_words(*text, words);
      }
      finish_seen = finish_seen || data.contains("\"finish_reason\":\"stop\"");
      usage_seen = usage_seen || data.contains("\"usage\":{");
      relayed.push_back(data);
    }
    if (ended && !events.rest.empty()) {
      violate("the stream ends inside an event: {}", events.rest.substr(0, 80));
    }
    if (ended && terminals == 0) {
      violate("the stream ends without [DONE] and without an error");
    }
    if (!ended && stayed_ && call_->broken_framing.empty() && !call_->out_of_patience &&
        (!drained_ || could_take_it() || last_words_were_due(events, terminals > 0))) {
      violate("the stream is cut off without an error");
    }
    if (done && !finish_seen) {
      violate("[DONE] without a finish reason");
    }
    const UpstreamCall* source = nullptr;
    if (call_->plan.same_text) {
      source = judge_same_text(relayed, text_seen, done);
    } else {
      source = source_of(words);
      if (source != nullptr) {
        judge_relayed(*source, relayed);
      }
      if (source != nullptr && done && (!source->finish_sent || words.numbers.size() != source->intent.words)) {
        violate("[DONE] for an answer that is not whole");
      }
    }
    if (source != nullptr && done) {
      judge_whole_stream(*source, usage_seen);
    }
    if (usage_seen && !call_->plan.usage) {
      violate("usage that the caller did not ask for");
    }
    if (error) {
      judge_error_event(source);
      if (source != nullptr) {
        judge_not_gone_on(text_seen);
      }
    }
    if (!ended && !done && !error) {
      count(call_->left ? "client left" : "cut");
    }
  }

  /// The upstream calls whose content went to the client, by the row: more than one where an answer broke off and
  /// another went on with it.
  [[nodiscard]] std::vector<const UpstreamCall*> legs() const {
    std::vector<const UpstreamCall*> all;
    for (const AttemptRecord& attempt : row_->attempts) {
      for (const UpstreamCall* upstream : upstreams_) {
        if (attempt.first_token && attempt_of(*upstream) == &attempt) {
          all.push_back(upstream);
        }
      }
    }
    return all;
  }

  /// Every upstream gives this call the same text, or nearly. The upstream call that the client's text is the beginning
  /// of; null if he has none.
  const UpstreamCall* judge_same_text(const std::vector<std::string>& relayed, const std::string& text, bool done) {
    if (text.empty() || row_ == nullptr) {
      return nullptr;
    }
    const auto all = legs();
    if (all.empty()) {
      violate("content without an attempt that delivered it");
      return nullptr;
    }
    if (!all.back()->text.starts_with(text)) {
      violate("the text is no beginning of what {} said: {}", all.back()->upstream, text.substr(0, 80));
    }
    if (done && (!all.back()->finish_sent || text != all.back()->text)) {
      violate("[DONE] for an answer that is not whole");
    }
    if (all.size() == 1) {
      judge_relayed(*all.back(), relayed);
      return all.back();
    }
    count("gone on with by another answer");
    std::size_t roles = 0;
    const std::string identity =
        fmt::format(R"({{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":1800000000,"model":"{}-model",)",
                    all.front()->serial, all.front()->upstream);
    for (const std::string& data : relayed) {
      roles += data.contains("\"role\":") ? 1 : 0;
      if (!data.starts_with(identity)) {
        violate("an event has another identity than the first: {}", data.substr(0, 120));
      }
    }
    if (roles > 1) {
      violate("{} roles", roles);
    }
    return all.back();
  }

  /// The record says that it was passed over: because of its breaker, or because it was full.
  [[nodiscard]] bool was_left_alone(const std::string& provider) const {
    return std::ranges::any_of(row_->skipped, [&](const std::string& line) {
      return line.starts_with(provider + "/") && (line.contains("circuit breaker") || line.contains("in flight"));
    });
  }

  /// The client was told that its answer broke off: then nobody could have gone on with it.
  void judge_not_gone_on(const std::string& text) {
    if (row_ == nullptr || drained_ || out_of_time()) {
      return;
    }
    for (const auto& step : scenario_.models.at(call_->plan.model)) {
      for (const std::string& provider : step) {
        if (std::ranges::none_of(row_->attempts,
                                 [&](const AttemptRecord& attempt) { return provider_of(attempt) == provider; }) &&
            !was_left_alone(provider)) {
          violate("the answer broke off, and {} was never asked to go on with it", provider);
        }
      }
    }
    for (const UpstreamCall* upstream : upstreams_) {
      const AttemptRecord* attempt = attempt_of(*upstream);
      const bool whole = upstream->intent.upset == Upset::none && upstream->body_ended && !upstream->link->disturbed &&
                         !upstream->link->stalled;
      if (attempt == nullptr || attempt->recovery.empty() || !whole) {
        continue;
      }
      if (call_->plan.same_text && upstream->text.starts_with(text) && attempt->failure != Code::timeout) {
        violate("{} gave the same text whole, and the client was told that it broke off", upstream->upstream);
      }
    }
    if (std::ranges::any_of(row_->attempts,
                            [](const auto& one) { return one.repeated_bytes > 0 && !one.first_token; })) {
      count("asked to go on, and differed");
    }
  }

  /// What the client got is what the upstream sent, event by event.
  void judge_relayed(const UpstreamCall& source, const std::vector<std::string>& relayed) {
    std::vector<std::string> sent;
    for (const std::string& data : source.events) {
      const std::size_t usage = call_->plan.usage ? std::string::npos : data.find(",\"usage\":{");
      if (data == "[DONE]" || is_error(data) || (usage != std::string::npos && data.contains("\"choices\":[]"))) {
        continue;
      }
      // The usage is the last member, and what the caller did not ask for is cut out of an event that has more to say.
      sent.push_back(usage == std::string::npos ? data : data.substr(0, usage) + "}");
    }
    for (std::size_t i = 0; i < relayed.size(); ++i) {
      if (i >= sent.size() || relayed[i] != sent[i]) {
        violate("event {} is not what {} sent: {}", i + 1, source.upstream, relayed[i].substr(0, 120));
        return;
      }
    }
  }

  void judge_whole_stream(const UpstreamCall& source, bool usage_seen) {
    const bool usage_due =
        call_->plan.usage && source.usage_asked && (source.done_sent || source.body_ended) && scenario_.quiet_network;
    if (usage_due && !usage_seen) {
      violate("the usage that the caller asked for is missing");
    }
    if (source.done_sent && source.usage_asked && row_ != nullptr && scenario_.quiet_network && call_->ended_at &&
        row_->attempts.back().usage.output_tokens != static_cast<std::int64_t>(source.intent.words)) {
      violate("the row's usage is not the provider's");
    }
    judge_whole_row(source);
    if (source.done_sent && source.ended && call_->ended_at && reads_quickly() &&
        *call_->ended_at > *source.ended + 50ms) {
      violate("the body ended {} ms after the upstream's last event",
              std::chrono::duration_cast<std::chrono::milliseconds>(*call_->ended_at - *source.ended).count());
    }
  }

  [[nodiscard]] const AttemptRecord* first_delivering() const {
    return &*std::ranges::find_if(row_->attempts,
                                  [](const AttemptRecord& attempt) { return attempt.first_token.has_value(); });
  }

  void judge_whole_row(const UpstreamCall& source) {
    if (row_ == nullptr || !call_->ended_at) {
      return;
    }
    if (row_->end_state != EndState::complete) {
      violate("the client has the whole answer, and the row says {}", to_string(row_->end_state));
    }
    const auto told = call_->headers.find("x-weir-target");
    const bool kept_alive = row_->keep_alives != 0;  // then the head came before any target
    const std::string& first_target = row_->recovered_from.empty() ? row_->target : first_delivering()->target;
    if (kept_alive ? told != call_->headers.end() : told == call_->headers.end() || told->second != first_target) {
      violate("the head's x-weir-target is wrong, or there though the head came before any target");
    }
    if (row_->target != source.upstream + "/" + source.upstream + "-model") {
      violate("the answer is of {}, and the row says {}", source.upstream, row_->target);
    }
    if (row_->attempts.empty() || row_->attempts.back().end_state != EndState::complete ||
        !row_->attempts.back().first_token) {
      violate("the client has the whole answer, and the last attempt is not complete");
      return;
    }
    count(kept_alive ? "whole after keep-alives" : "whole");
    const AttemptRecord& last = row_->attempts.back();
    if (last.silent_retry) {
      count("whole after silent retry");
    }
    if (row_->attempts.size() > 1 && call_->plan.stream && row_->first_token > scenario_.timeouts.first_token) {
      count("whole after a slow one");
    }
    if (row_->attempts.size() > 1 && !last.silent_retry && last.recovery.empty()) {
      const bool same = row_->attempts[row_->attempts.size() - 2].target == last.target;
      count(same ? "whole after retry" : "whole after fallback");
    }
  }

  /// It paused in the middle of a stream, for less time than the gateway has patience.
  [[nodiscard]] bool paused_in_time(const Intent& intent) const {
    const Duration limit = intent.phase == Phase::after_content ? Duration(scenario_.timeouts.between_events)
                                                                : Duration(scenario_.timeouts.first_token);
    return intent.upset == Upset::slow && intent.slow_for + 1s < limit;
  }

  void judge_error_event(const UpstreamCall* source) {
    count(drained_ ? "drained" : "error event");
    if (drained_ && source != nullptr && row_ != nullptr && row_->end_state == EndState::gateway_error) {
      count("drained after content");
      if (call_->plan.reads_small) {
        count("drained, slow reader");
      }
    }
    if (source == nullptr) {
      // Before any content a stream has no head yet, unless the wait was so long that a keep-alive had to be sent.
      if (call_->head_at && call_->sent && *call_->head_at - *call_->sent < scenario_.keep_alive_after && !drained_) {
        violate("an error event where a whole answer or an error status was still possible");
      }
      if (row_ != nullptr && row_->keep_alives != 0 && !drained_) {
        count("error event after keep-alives");
        judge_giving_up();
      }
      return;
    }
    if (row_ != nullptr && row_->end_state != EndState::upstream_error && row_->end_state != EndState::gateway_error) {
      violate("the stream ended with an error, and the row says {}", to_string(row_->end_state));
    }
    const Upset kind = source->intent.upset;
    const bool harmless = kind == Upset::none || kind == Upset::missing_done || kind == Upset::held_open ||
                          (scenario_.quiet_network && (kind == Upset::trickle || paused_in_time(source->intent)));
    if (harmless && !source->link->disturbed && !source->link->stalled && !drained_ && !out_of_time()) {
      violate("an error event, and {} did nothing wrong", source->upstream);
    }
  }

  /// Nothing but the gateway decides when this client has what.
  [[nodiscard]] bool reads_quickly() const {
    return scenario_.quiet_network && call_->plan.read_pause == 0ns && !call_->plan.reads_small &&
           !call_->plan.pipelined;
  }

  /// The stream was cut at the end of a drain. That is as it must be if an event of the upstream was half written,
  /// since whatever came now would be taken for its rest, or if the client took nothing for as long as last words wait.
  /// The last event and the end of the body are one write.
  [[nodiscard]] bool last_words_were_due(const Events& events, bool has_last_event) const {
    constexpr Duration wait_for_last_words = 2s;
    const auto closed = call_->link->closed[platform::SimulatedConnection::accepting];
    if (reads_quickly()) {
      return true;
    }
    if (!closed || call_->link->stalled ||
        *closed >= *history_.drain_began + scenario_.drain_time + wait_for_last_words) {
      return false;
    }
    const bool nothing_half_said = call_->between_chunks && events.rest.empty() && !has_last_event;
    return nothing_half_said || is_error_in_part(events.rest);
  }

  /// The end of a drain met an answer of which a part had left, to a client that took no more for the moment.
  [[nodiscard]] bool was_half_said() const {
    const auto closed = call_->link->closed[platform::SimulatedConnection::accepting];
    return drained_ && closed && *closed >= *history_.drain_began + scenario_.drain_time && !could_take_it();
  }

  /// All that could be on its way to this client fits into its connection, so no write to it can be half done: whatever
  /// the gateway still has to say, it can say.
  [[nodiscard]] bool could_take_it() const {
    constexpr std::size_t head_and_last_words = 2000;
    if (call_->link->disturbed || call_->link->stalled) {
      return false;
    }
    std::size_t most = 0;
    for (const auto& record : history_.records) {
      most += record->keep_alives * 40;
    }
    for (const ClientCall& other : history_.client_calls) {
      if (other.link != call_->link) {
        continue;
      }
      most += head_and_last_words;
      for (const UpstreamCall& upstream : history_.upstream_calls) {
        if (upstream.call == other.plan.id) {
          most += upstream.body.size() * 2;
          for (const std::string& event : upstream.events) {
            most += event.size() + 50;  // its framing, and what may be mended
          }
        }
      }
    }
    return most < scenario_.client_link.capacity.min;
  }

  [[nodiscard]] bool out_of_time() const { return row_ != nullptr && row_->duration >= scenario_.timeouts.total; }

  void judge_whole() {
    const auto text = text_of(call_->body);
    if (!call_->ended_at) {
      if (stayed_ && call_->broken_framing.empty() && !call_->out_of_patience && !drained_) {
        violate("the answer is cut off");
      }
      count(call_->left ? "client left" : "cut");
      return;
    }
    if (!text) {
      violate("200 with a body that is no JSON: {}", call_->body.substr(0, 80));
      return;
    }
    Words words;
    read_words(*text, words);
    const UpstreamCall* source = source_of(words);
    if (source == nullptr) {
      violate("200 without an answer: {}", call_->body.substr(0, 80));
      return;
    }
    if (words.numbers.size() != source->intent.words || !source->finish_sent || call_->body != source->body) {
      violate("the answer is not what {} sent", source->upstream);
    }
    if (row_ != nullptr &&
        row_->attempts.back().usage.output_tokens != static_cast<std::int64_t>(source->intent.words)) {
      violate("the row's usage is not the provider's");
    }
    judge_whole_row(*source);
  }

  void judge_error() {
    if (!call_->ended_at) {
      if (stayed_ && call_->broken_framing.empty() && !call_->out_of_patience && !was_half_said()) {
        violate("the error is cut off");
      }
      return;
    }
    boost::system::error_code broken;
    const boost::json::value value = boost::json::parse(call_->body, broken);
    const auto* error = !broken && value.is_object() ? value.as_object().if_contains("error") : nullptr;
    if (error == nullptr || !error->is_object() || !error->as_object().contains("message")) {
      violate("status {} without an error object: {}", call_->status, call_->body.substr(0, 80));
    }
    if (call_->status == 401 || call_->status == 402 || call_->status == 403) {
      violate("the caller is blamed for our credentials: {}", call_->status);
    }
    if (call_->status == 429 || call_->status == 503) {
      const auto told = call_->headers.find("retry-after");
      if (told == call_->headers.end()) {
        violate("status {} does not say when to come back", call_->status);
      } else if (row_ != nullptr && row_->error_code != to_string(Code::shutting_down)) {
        judge_come_back(history_, *row_, told->second, violations_);
      }
    }
    if (row_ == nullptr) {
      count("error status");  // refused at the door
      return;
    }
    if (row_->end_state == EndState::client_abort || row_->end_state == EndState::open) {
      violate("the client has an error, and the row says {}", to_string(row_->end_state));
    }
    if (drained_ && call_->status == 503) {
      count("drained");
      return;
    }
    count("error status");
    judge_giving_up();
  }

  /// An error is the answer only if nobody could give a better one.
  void judge_giving_up() {
    for (const AttemptRecord& attempt : row_->attempts) {
      if (attempt.first_token) {
        violate("content was committed, and the client got status {}", call_->status);
      }
    }
    if (!row_->attempts.empty() && callers_fault(row_->attempts.back().status)) {
      const bool body_lost = std::ranges::any_of(upstreams_, [&](const UpstreamCall* upstream) {
        return attempt_of(*upstream) == &row_->attempts.back() && upstream->link->disturbed;
      });
      if (call_->status != row_->attempts.back().status && !body_lost && row_->keep_alives == 0) {
        violate("the provider said {}, the client got {}", row_->attempts.back().status, call_->status);
      }
      if (!is_too_long(row_->attempts.back()) || body_lost) {
        return;
      }
    }
    for (const UpstreamCall* upstream : upstreams_) {
      const AttemptRecord* attempt = attempt_of(*upstream);
      const bool could = upstream->intent.upset == Upset::none && upstream->body_ended && !upstream->link->disturbed &&
                         !upstream->link->stalled;
      if (could && attempt != nullptr && attempt->failure != Code::timeout) {
        violate("{} gave a whole answer, and the client got status {}", upstream->upstream, call_->status);
      }
      if (was_in_time(*upstream) && !out_of_time()) {
        violate("{} would have answered in its time, and the client got status {}", upstream->upstream, call_->status);
      }
    }
    if (out_of_time()) {
      return;
    }
    for (const auto& step : scenario_.models.at(call_->plan.model)) {
      for (const std::string& provider : step) {
        const bool asked = std::ranges::any_of(
            row_->attempts, [&](const AttemptRecord& attempt) { return provider_of(attempt) == provider; });
        if (!asked && !was_left_alone(provider)) {
          violate("status {}, and {} was never asked", call_->status, provider);
        }
        judge_siblings(provider);
      }
    }
  }

  /// The gateway heard that its key was refused, or is spent.
  static bool refused_key(const AttemptRecord& attempt) {
    return attempt.cause == llm::Cause::credential || attempt.cause == llm::Cause::key_quota;
  }

  /// Whether any call's row says so of this answer.
  [[nodiscard]] bool was_heard(const UpstreamCall& refusal) const {
    return std::ranges::any_of(history_.records, [&](const ledger::RecordPtr& record) {
      const auto attempt = std::ranges::find(record->attempts, fmt::format("up-{}", refusal.serial),
                                             &AttemptRecord::upstream_request_id);
      return attempt != record->attempts.end() && refused_key(*attempt);
    });
  }

  /// A refused key is no refusal of its upstream: one that was never refused would have been taken.
  void judge_siblings(const std::string& provider) {
    const auto plan = std::ranges::find(scenario_.upstreams, provider, &UpstreamPlan::name);
    const AttemptRecord* last = nullptr;
    std::set<std::string> tried;
    for (const AttemptRecord& attempt : row_->attempts) {
      if (provider_of(attempt) == provider) {
        tried.insert(attempt.key);
        last = &attempt;
      }
    }
    if (last == nullptr || !refused_key(*last)) {
      return;
    }
    for (std::size_t key = 0; key < plan->keys.size(); ++key) {
      if (plan->keys[key] == KeyStanding::good && !tried.contains(fmt::format("key-{}", key + 1)) &&
          !was_refused(provider, key)) {
        violate("status {}, and {} was never asked with its good key {}", call_->status, provider, key + 1);
      }
    }
  }

  /// Whether the upstream ever gave the gateway a reason to leave this key alone for a while.
  [[nodiscard]] bool was_refused(const std::string& provider, std::size_t key) const {
    return std::ranges::any_of(history_.upstream_calls, [&](const UpstreamCall& upstream) {
      return upstream.upstream == provider && upstream.key == key && refuses_key(upstream);
    });
  }

  /// A key that was refused is left alone for a while, as long as another one serves.
  void judge_keys() {
    if (!scenario_.quiet_network) {
      return;
    }
    for (const UpstreamPlan& plan : scenario_.upstreams) {
      const bool replaced = std::ranges::any_of(scenario_.reloads, [&](const ReloadPlan& reload) {
        return std::ranges::find(reload.replaced, plan.name) != reload.replaced.end();
      });
      if (replaced) {
        continue;  // its keys are new to the gateway
      }
      std::map<std::size_t, Instant> refused_at;
      bool has_good = false;
      for (std::size_t key = 0; key < plan.keys.size(); ++key) {
        has_good = has_good || (plan.keys[key] == KeyStanding::good && !was_refused(plan.name, key));
      }
      for (const UpstreamCall& upstream : history_.upstream_calls) {
        if (upstream.upstream != plan.name) {
          continue;
        }
        const auto refused = refused_at.find(upstream.key);
        if (has_good && refused != refused_at.end() && upstream.received > refused->second + 100ms &&
            upstream.received < refused->second + scenario_.breaker.recovery_timeout) {
          violate("{} was asked with key {}, which it had refused, while another one serves", plan.name,
                  upstream.key + 1);
        }
        if (upstream.intent.by_key && upstream.ended && was_heard(upstream)) {
          refused_at.try_emplace(upstream.key, *upstream.ended);
        }
      }
    }
  }

  // --- everything
  // -----------------------------------------------------------------------------------------------------

  /// What the provider told is what is paid for; what it refused, or never got, is free.
  void judge_charge(const RequestRecord& record, const AttemptRecord& attempt) {
    if (scenario_.metered != (attempt.reserved != nullptr)) {
      violate("an attempt of {} is {}", record.client_request_id,
              scenario_.metered ? "outside of the budget" : "paid for, and there is no budget");
      return;
    }
    if (!scenario_.metered) {
      return;
    }
    if (!attempt.reserved->charged) {
      violate("an attempt of {} was not charged for", record.client_request_id);
      return;
    }
    const std::int64_t charged = attempt.reserved->charged->in_picodollars();
    const bool told = attempt.usage_source == ledger::UsageSource::provider && attempt.status < 300;
    const bool free = attempt.status >= 300 || (attempt.status == 0 && !attempt.connected);
    const std::int64_t due = free ? 0
                                  : attempt.usage.input_tokens.value_or(0) * input_price +
                                        attempt.usage.output_tokens.value_or(0) * output_price;
    if ((told || free) && charged != due) {
      violate("an attempt of {} was charged {} picodollars and cost {}", record.client_request_id, charged, due);
    }
    // Who sends more than he was asked for, and does not say what it was, is paid for what came.
    if (told && charged > attempt.reserved->money.value_or(ledger::Money{}).in_picodollars()) {
      violate("an attempt of {} was charged {} picodollars, more than it held", record.client_request_id, charged);
    }
  }

  void judge_records() {
    std::set<std::string> ids;
    for (const auto& record : history_.records) {
      if (!ids.insert(record->id).second) {
        violate("two rows have the id {}", record->id);
      }
      for (const AttemptRecord& attempt : record->attempts) {
        judge_charge(*record, attempt);
      }
      if (record->end_state == EndState::open) {
        violate("the row of {} was never closed", record->client_request_id);
      }
      if (std::ranges::none_of(history_.client_calls,
                               [&](const ClientCall& call) { return call.plan.id == record->client_request_id; })) {
        violate("a row of a call that nobody made: {}", record->client_request_id);
      }
    }
  }

  const Scenario& scenario_;
  History& history_;
  std::vector<std::string> violations_;
  const ClientCall* call_ = nullptr;
  const RequestRecord* row_ = nullptr;
  std::vector<const UpstreamCall*> upstreams_;
  bool stayed_ = false;
  bool drained_ = false;
};

}  // namespace

std::vector<std::string> judge(const Scenario& scenario, History& history) {
  return Judge(scenario, history).verdicts();
}

}  // namespace weir::sim
