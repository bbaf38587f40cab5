// weir-load: the load generator as a command of its own. `weir-load --help` lists its options.

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "load/load.hpp"

namespace {

// Each stream is a descriptor; the usual soft limit of 1,024 would end a run of 2,000.
void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  weir::load::Options options;
  std::string body_file;
  std::string model = "bench";
  std::size_t body_bytes = 1024;
  double spread_ms = 0;
  std::uint64_t events_expected = 0;
  std::vector<std::string> headers;

  CLI::App app(
      "Loads one HTTP/1.1 address on this machine with chat completions and prints what it saw as one JSON object.");
  app.add_option("--url", options.url, "http://127.0.0.1:PORT/PATH, or https; only loopback addresses are allowed")
      ->required();
  app.add_option("--connections", options.connections, "connections kept open; in a closed loop the number of callers");
  app.add_option("--rate", options.rate,
                 "open loop: requests per second, each at its time whatever became of those before");
  app.add_option("--requests", options.requests, "stop after so many requests");
  app.add_option("--seconds", options.seconds, "start no request after so many seconds (10; with --requests 600)");
  app.add_option("--timeout", options.timeout_seconds, "seconds for one reply");
  app.add_option("--spread-ms", spread_ms, "closed loop: spread the connections' first requests evenly over so long");
  auto* file = app.add_option("--body-file", body_file, "send this file's bytes as the body");
  app.add_option("--body-bytes", body_bytes, "make a chat request of so many bytes")->excludes(file);
  app.add_option("--model", model, "the model that the made body names");
  app.add_option("--method", options.method, "POST (as long as nothing else is said) or GET, which sends no body");
  app.add_option("--expect-status", options.status_expected, "the status of a right reply, 200 to 599 (200)");
  app.add_option("--header", headers, "a header, as 'name: value'; may be repeated")->allow_extra_args(false);
  app.add_flag("--stream", options.stream, "ask for an event stream and check that it ends with [DONE]");
  app.add_option("--expect-events", events_expected, "data events in each stream, without [DONE]");
  app.add_flag(
      "--hold", options.hold,
      "open one stream per connection, print {\"open\":N} when all have begun, and read on until standard input ends");
  CLI11_PARSE(app, argc, argv);

  if (app.count("--seconds") == 0 && options.requests > 0) {
    options.seconds = 600;
  }
  options.spread_seconds = spread_ms / 1000;
  if (app.count("--expect-events") > 0) {
    options.events_expected = events_expected;
  }
  for (const auto& header : headers) {
    auto colon = header.find(':');
    if (colon == 0 || colon == std::string::npos || header.find_first_of("\r\n") != std::string::npos) {
      std::fprintf(stderr, "weir-load: a header is written 'name: value', not '%s'\n", header.c_str());
      return 2;
    }
    auto value = header.find_first_not_of(' ', colon + 1);
    options.headers.emplace_back(header.substr(0, colon), value == std::string::npos ? "" : header.substr(value));
  }
  if (body_file.empty()) {
    options.body = weir::load::chat_body(model, body_bytes, options.stream);
  } else {
    std::ifstream in(body_file, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "weir-load: cannot read %s\n", body_file.c_str());
      return 2;
    }
    options.body.assign(std::istreambuf_iterator<char>(in), {});
  }
  if (options.hold) {
    options.hold_until = STDIN_FILENO;
    options.all_open = [](std::uint32_t streams) {
      std::printf("{\"open\":%u}\n", streams);
      std::fflush(stdout);
    };
  }

  allow_many_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  auto report = weir::load::run(options);
  if (!report) {
    std::fprintf(stderr, "weir-load: %s\n", report.error().c_str());
    return 2;
  }
  std::printf("%s\n", report->json(options).c_str());
  return report->errors() == 0 ? 0 : 1;
}
