#pragma once

#include "observe/metrics.hpp"

/// Every metric of weir. docs/operations.md lists them.
namespace weir::observe::metric {

inline const MetricFamily requests{"weir_requests_total",
                                   "Calls that ended, by endpoint, route and status.",
                                   MetricKind::counter,
                                   {"endpoint", "route", "status"}};
inline const MetricFamily request_seconds{
    "weir_request_duration_seconds", "From the first byte of a call to its last.", MetricKind::histogram, {"endpoint"}};
inline const MetricFamily first_token_seconds{"weir_time_to_first_token_seconds",
                                              "Streamed calls: from the first byte of the call to the first content.",
                                              MetricKind::histogram,
                                              {"endpoint"}};
inline const MetricFamily added_seconds{
    "weir_added_latency_seconds", "What weir itself added to a call.", MetricKind::histogram, {"endpoint"}};
inline const MetricFamily attempts{
    "weir_attempts_total", "Upstream calls, by target and how they ended.", MetricKind::counter, {"target", "outcome"}};
inline const MetricFamily attempt_seconds{"weir_attempt_duration_seconds",
                                          "From the begin of an upstream call to its end.",
                                          MetricKind::histogram,
                                          {"target"}};
inline const MetricFamily provider_recent{"weir_provider_recent_attempts",
                                          "Attempts of the last minute, succeeded or failed.",
                                          MetricKind::gauge,
                                          {"provider", "outcome"}};
inline const MetricFamily streams{
    "weir_streamed_requests_total", "Calls that asked for a stream.", MetricKind::counter, {"endpoint"}};
inline const MetricFamily body_bytes{
    "weir_request_body_bytes", "Request bodies held, and how many may be.", MetricKind::gauge, {"kind"}};
inline const MetricFamily fallbacks{
    "weir_fallbacks_total", "Calls that went on to another target.", MetricKind::counter, {"from", "to"}};
inline const MetricFamily breaker_state{
    "weir_breaker_state", "Circuit breaker of a target: 0 closed, 1 half-open, 2 open.", MetricKind::gauge, {"target"}};
inline const MetricFamily breaker_trips{
    "weir_breaker_trips_total", "How often the circuit breaker of a target opened.", MetricKind::counter, {"target"}};
inline const MetricFamily target_in_flight{
    "weir_target_calls_in_flight", "Upstream calls that are running, by target.", MetricKind::gauge, {"target"}};
inline const MetricFamily tokens{
    "weir_tokens_total", "Tokens as the providers counted them.", MetricKind::counter, {"target", "kind"}};
inline const MetricFamily cost{
    "weir_cost_usd_total", "What attempts cost, in US dollars, where it is known.", MetricKind::counter, {"target"}};
inline const MetricFamily usage_not_told{
    "weir_usage_not_told_total",
    "Attempts whose provider told no usage, by how weir knows it: counted or estimated.",
    MetricKind::counter,
    {"target", "source"}};
inline const MetricFamily unpriced{"weir_unpriced_attempts_total",
                                   "Attempts whose cost is unknown, by what was missing: price or usage.",
                                   MetricKind::counter,
                                   {"target", "missing"}};
inline const MetricFamily events{
    "weir_stream_events_total", "Events that came in streams.", MetricKind::counter, {"target"}};
inline const MetricFamily mended{"weir_mended_events_total",
                                 "Events of sloppy providers that were put right, by what was wrong.",
                                 MetricKind::counter,
                                 {"target", "what"}};
inline const MetricFamily keep_alives{
    "weir_keep_alives_total", "Keep-alives sent before the first content.", MetricKind::counter, {"endpoint"}};
inline const MetricFamily recoveries{
    "weir_recoveries_total",
    "Streams that broke off after content: attempts to go on with them (how: proven, "
    "prefill; outcome: continued, differs, failed), and those that ended with an error "
    "event (how: none).",
    MetricKind::counter,
    {"how", "outcome"}};
inline const MetricFamily client_aborts{
    "weir_client_aborts_total", "Calls whose caller left before the end.", MetricKind::counter, {"endpoint"}};
inline const MetricFamily limited{"weir_limited_requests_total",
                                  "Calls refused by a limit, by whose and on what: requests, tokens, in_flight.",
                                  MetricKind::counter,
                                  {"scope", "unit"}};
inline const MetricFamily budget_refused{
    "weir_budget_refused_total",
    "Times that a budget or quota refused a call at one target, by whose and why: exhausted, busy, price_unknown, "
    "uncounted.",
    MetricKind::counter,
    {"owner", "reason"}};
inline const MetricFamily budget_warnings{"weir_budget_warnings_total",
                                          "Budgets and quotas of which 80 or 100 percent were used, once a period.",
                                          MetricKind::counter,
                                          {"owner", "percent"}};
inline const MetricFamily budget_used{
    "weir_budget_used",
    "What is used of each budget in its period: US dollars, or tokens; of those that were asked since the start.",
    MetricKind::gauge,
    {"owner", "name", "unit", "period"}};
inline const MetricFamily budget_held{
    "weir_budget_held", "What calls that run hold of it.", MetricKind::gauge, {"owner", "name", "unit", "period"}};
inline const MetricFamily budget_cap{
    "weir_budget_limit", "How much it is.", MetricKind::gauge, {"owner", "name", "unit", "period"}};
inline const MetricFamily limit_scopes{
    "weir_limit_scopes", "Callers whose use is counted against limits.", MetricKind::gauge, {}};
inline const MetricFamily limit_requests{
    "weir_limit_requests", "The limit of requests for each caller without a key; 0: none.", MetricKind::gauge, {}};
inline const MetricFamily limit_window{"weir_limit_window_seconds", "The window of that limit.", MetricKind::gauge, {}};
inline const MetricFamily in_flight{"weir_requests_in_flight", "Calls that are running.", MetricKind::gauge, {}};
inline const MetricFamily connections{"weir_client_connections",
                                      "Open client connections: idle between two requests, or active.",
                                      MetricKind::gauge,
                                      {"state"}};
inline const MetricFamily accepted{
    "weir_client_connections_total", "Client connections accepted.", MetricKind::counter, {}};
inline const MetricFamily connections_refused{
    "weir_client_connections_refused_total",
    "Client connections refused, by what was full: the core (503) or what one address may have.",
    MetricKind::counter,
    {"reason"}};
inline const MetricFamily refused_heads{"weir_bad_requests_total",
                                        "Requests refused before an endpoint saw them, by status.",
                                        MetricKind::counter,
                                        {"status"}};
inline const MetricFamily callers_refused{
    "weir_callers_refused_total", "Requests refused for who sent them, by code.", MetricKind::counter, {"code"}};
inline const MetricFamily auth_keys{
    "weir_auth_keys", "Keys of callers and administrators.", MetricKind::gauge, {"state"}};
inline const MetricFamily pool_idle{
    "weir_upstream_connections_idle", "Kept-alive connections to providers.", MetricKind::gauge, {"provider"}};
inline const MetricFamily pool_active{"weir_upstream_connections_active",
                                      "Connections to providers with a call on them.",
                                      MetricKind::gauge,
                                      {"provider"}};
inline const MetricFamily pool_waiting{"weir_upstream_connections_pending",
                                       "Calls that wait for one of the connections that may be open to a provider.",
                                       MetricKind::gauge,
                                       {"provider"}};
inline const MetricFamily dns_lookups{
    "weir_dns_lookups_total",
    "Names of providers and proxies that connections were made to: asked, failed, "
    "cached (no need to ask), stale (old addresses used, since nobody told newer ones).",
    MetricKind::counter,
    {"outcome"}};
inline const MetricFamily pool_opened{
    "weir_upstream_connections_opened_total", "Connections made to providers.", MetricKind::counter, {"provider"}};
inline const MetricFamily pool_reused{
    "weir_upstream_connections_reused_total", "Calls over a kept-alive connection.", MetricKind::counter, {"provider"}};
inline const MetricFamily key_calls{"weir_provider_key_calls_total",
                                    "Upstream calls by the label of the key that they used.",
                                    MetricKind::counter,
                                    {"provider", "key"}};
inline const MetricFamily key_failures{"weir_provider_key_failures_total",
                                       "Upstream calls that failed through their key: refused, spent, too often.",
                                       MetricKind::counter,
                                       {"provider", "key"}};
inline const MetricFamily key_breaker{"weir_provider_key_breaker_state",
                                      "Circuit breaker of a key: 0 closed, 1 half-open, 2 open.",
                                      MetricKind::gauge,
                                      {"provider", "key"}};
inline const MetricFamily key_breaker_trips{"weir_provider_key_breaker_trips_total",
                                            "How often the circuit breaker of a key opened.",
                                            MetricKind::counter,
                                            {"provider", "key"}};
inline const MetricFamily provider_reachable{"weir_provider_reachable",
                                             "1: the last free check could connect to the provider; 0: it could not.",
                                             MetricKind::gauge,
                                             {"provider"}};
inline const MetricFamily provider_checks{
    "weir_provider_checks_total", "Free checks of a provider's address.", MetricKind::counter, {"provider", "outcome"}};
inline const MetricFamily probes{"weir_probes_total",
                                 "Weir's own paid questions to targets whose circuit breaker was due for a trial.",
                                 MetricKind::counter,
                                 {"target", "outcome"}};
inline const MetricFamily key_out{"weir_provider_key_out",
                                  "1: the key is out: refused, spent, or taken out by hand; 0: it is in use.",
                                  MetricKind::gauge,
                                  {"provider", "key"}};
inline const MetricFamily model_lists{"weir_model_list_fetches_total",
                                      "Lists of models asked of providers, by how that ended.",
                                      MetricKind::counter,
                                      {"provider", "outcome"}};
inline const MetricFamily tls_handshakes{"weir_upstream_tls_handshakes_total",
                                         "TLS handshakes with providers: full, resumed, failed.",
                                         MetricKind::counter,
                                         {"provider", "outcome"}};
inline const MetricFamily client_tls_handshakes{"weir_client_tls_handshakes_total",
                                                "TLS handshakes with clients: full, resumed, failed.",
                                                MetricKind::counter,
                                                {"outcome"}};
inline const MetricFamily log_dropped{
    "weir_log_lines_dropped_total", "Log lines lost because the log's queue was full.", MetricKind::counter, {}};
inline const MetricFamily journal_records{
    "weir_journal_records_total", "Records of calls appended to the journal.", MetricKind::counter, {}};
inline const MetricFamily journal_lost{"weir_journal_lost_total",
                                       "Records of calls that found no room, or were damaged in the journal.",
                                       MetricKind::counter,
                                       {}};
inline const MetricFamily journal_memory{
    "weir_journal_memory_bytes", "Records that wait in memory for a disk that takes them.", MetricKind::gauge, {}};
inline const MetricFamily journal_good{
    "weir_journal_good", "1 where the journal could be written the last time, else 0.", MetricKind::gauge, {}};
inline const MetricFamily store_up{
    "weir_store_up", "1 where the store answered the last time, else 0.", MetricKind::gauge, {}};
inline const MetricFamily store_shipped{
    "weir_store_calls_total", "Calls that were carried from journals to the store.", MetricKind::counter, {}};
inline const MetricFamily store_unknown{
    "weir_store_unknown_calls_total", "Calls of processes that died, whose end nobody saw.", MetricKind::counter, {}};
inline const MetricFamily store_bytes{
    "weir_store_bytes", "What the store takes, as of the last minute.", MetricKind::gauge, {}};
inline const MetricFamily config_reloads{"weir_config_reloads_total",
                                         "Reloads of the configuration, by result: applied or rejected.",
                                         MetricKind::counter,
                                         {"result"}};
inline const MetricFamily config_loaded{"weir_config_last_load_success_timestamp_seconds",
                                        "When the configuration in use was loaded, in Unix time.",
                                        MetricKind::gauge,
                                        {}};
inline const MetricFamily config_good{"weir_config_last_reload_successful",
                                      "1: the last attempt to load the configuration succeeded; 0: it was rejected.",
                                      MetricKind::gauge,
                                      {}};
inline const MetricFamily live_watchers{
    "weir_live_watchers", "Who watches the calls as they run.", MetricKind::gauge, {}};
inline const MetricFamily live_dropped{"weir_live_events_dropped_total",
                                       "Events of running calls that a watcher was too slow to take.",
                                       MetricKind::counter,
                                       {}};
inline const MetricFamily build_info{
    "weir_build_info", "Always 1; the version is a label.", MetricKind::gauge, {"version"}};

}  // namespace weir::observe::metric
