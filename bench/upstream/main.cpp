// weir-mock-upstream: the fast model server of the benches. Prints "listening on 127.0.0.1:PORT" and serves until it is
// told to stop.

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "upstream/server.hpp"

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  weir::mock_upstream::Plan defaults{.events = 50, .interval = std::chrono::milliseconds(20)};
  double interval_ms = 20;
  CLI::App app(
      "A mock model server for benches: any POST gets a fixed chat completion, or a stream of events if it asks for "
      "one.");
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one");
  app.add_option("--events", defaults.events, "events of a stream, where neither query nor model (bench-50x20ms) say");
  app.add_option("--interval-ms", interval_ms, "milliseconds between them");
  CLI11_PARSE(app, argc, argv);
  defaults.interval = std::chrono::nanoseconds(static_cast<std::int64_t>(interval_ms * 1e6));

  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  int stop = signalfd(-1, &signals, SFD_CLOEXEC);

  auto server = weir::mock_upstream::Server::listen(port, defaults);
  if (!server) {
    std::fprintf(stderr, "weir-mock-upstream: %s\n", server.error().c_str());
    return 1;
  }
  std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(server->port()));
  std::fflush(stdout);
  server->run(stop);
  return 0;
}
