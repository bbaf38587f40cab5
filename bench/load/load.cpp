#include "load/load.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>

#include "load/reply_check.hpp"
#include "load/target.hpp"
#include "load/wire.hpp"

namespace weir::load {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::uint32_t connections_max = 20'000;
constexpr double seconds_max = 3600;
constexpr std::size_t read_bytes = 256 * 1024;
constexpr std::size_t backlog_max = 1'000'000;      // due times waiting for a free connection, 8 bytes each
constexpr std::uint32_t connects_failed_max = 100;  // then the server is gone, and the run is over
constexpr auto timeout_check_interval = 500ms;

nanoseconds from_seconds(double seconds) {
  return nanoseconds(std::llround(seconds * 1e9));
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_;
};

struct Connection {
  Connection(const Options& options, Report& report) : check(options, report) {}

  Descriptor socket;
  Wire wire;
  ReplyCheck check;
  bool busy = false;
  bool wants_write = false;
  bool counted_open = false;  // hold mode: its first events were seen
  std::size_t sent_bytes = 0;
  TimePoint due;
  TimePoint sent;
};

// One run: the loop, its connections and its schedule.
class Run {
 public:
  Run(const Options& options, Target target)
      : options_(options), target_(std::move(target)), buffer_(read_bytes), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const bool has_body = options.method != "GET";
    request_ = options.method + " " + target_.path + " HTTP/1.1\r\nHost: " + target_.host + "\r\n";
    if (has_body) {
      request_ += "Content-Type: application/json\r\nContent-Length: " + std::to_string(options.body.size()) + "\r\n";
    }
    for (const auto& [name, value] : options.headers) {
      request_ += name + ": " + value + "\r\n";
    }
    request_ += "\r\n";
    if (has_body) {
      request_ += options.body;
    }
    if (target_.tls) {
      tls_ = make_tls_context();
    }
  }

  std::expected<Report, std::string> run() {
    if (auto error = connect_all(); !error.empty()) {
      return std::unexpected(error);
    }
    start_ = Clock::now();
    end_ = start_ + from_seconds(options_.seconds);
    next_timeout_check_ = start_ + timeout_check_interval;
    while (!finished()) {
      auto now = Clock::now();
      start_what_is_due(now);
      end_what_took_too_long(now);
      if (!finished()) {
        wait(now);
      }
    }
    report_.duration = (last_reply_ > start_ ? last_reply_ : Clock::now()) - start_;
    return std::move(report_);
  }

 private:
  std::string connect_all() {
    if (options_.hold && options_.hold_until >= 0) {
      epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = hold_mark}};
      // A file such as /dev/null cannot be waited for (EPERM): then only the time ends the run.
      epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, options_.hold_until, &event);
    }
    for (std::uint32_t i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(options_, report_));
      if (!connect(i)) {
        return "connection " + std::to_string(i + 1) + " to " + target_.host + ": " + std::strerror(errno);
      }
      idle_.push_back(i);
    }
    return {};
  }

  // Blocking, which on loopback takes microseconds, and then non-blocking for the rest of its life.
  bool connect(std::uint32_t index) {
    auto& connection = *connections_[index];
    Descriptor socket(::socket(target_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval patience{.tv_sec = 5, .tv_usec = 0};
    int on = 1;
    if (!socket.open() || setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&target_.address), target_.address_bytes) != 0) {
      return false;
    }
    Wire wire(socket.number());
    if ((tls_ != nullptr && !wire.start_tls(*tls_)) || fcntl(socket.number(), F_SETFL, O_NONBLOCK) != 0) {
      return false;
    }
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    if (epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, socket.number(), &event) != 0) {
      return false;
    }
    connection.wire = std::move(wire);
    connection.socket = std::move(socket);
    connection.wants_write = false;
    return true;
  }

  bool closed_loop() const { return options_.rate <= 0; }
  bool all_started() const {
    return over_ || (options_.requests > 0 && started_ >= options_.requests) ||
           (options_.hold && started_ >= options_.connections);
  }
  bool finished() const { return (over_ && options_.hold) || (all_started() && busy_ == 0 && backlog_.empty()); }

  // When the request number `started_` is due; TimePoint::max() when another reply has to come first.
  TimePoint next_due() const {
    if (all_started()) {
      return TimePoint::max();
    }
    if (!closed_loop()) {
      return start_ + from_seconds(static_cast<double>(started_) / options_.rate);
    }
    // The first request of each connection has its place in the spread; later ones follow the reply before them.
    if (first_requests_ < connections_.size()) {
      return start_ + from_seconds(options_.spread_seconds * static_cast<double>(first_requests_) /
                                   static_cast<double>(connections_.size()));
    }
    return idle_.empty() || options_.hold ? TimePoint::max() : TimePoint::min();
  }

  void start_what_is_due(TimePoint now) {
    over_ = over_ || now >= end_;
    while (!backlog_.empty() && !idle_.empty()) {
      auto due = backlog_.front();
      backlog_.pop_front();
      start_request(due, now);
    }
    if (now >= end_ + from_seconds(options_.timeout_seconds)) {
      for (; !backlog_.empty(); backlog_.pop_front()) {
        count(Fault::not_sent);
      }
    }
    for (auto due = next_due(); due <= now; due = next_due()) {
      ++started_;
      if (closed_loop()) {
        first_requests_ += first_requests_ < connections_.size();
        auto at = Clock::now();  // not `now`: the sends before this one took their time
        start_request(at, at);
      } else if (!idle_.empty()) {
        start_request(due, now);
      } else if (backlog_.size() < backlog_max) {
        backlog_.push_back(due);
      } else {
        count(Fault::not_sent);
      }
    }
  }

  // Takes the connection that has been idle longest.
  void start_request(TimePoint due, TimePoint now) {
    auto index = idle_.front();
    idle_.pop_front();
    auto& connection = *connections_[index];
    if (!connection.socket.open()) {
      ++report_.reconnects;
      if (!connect(index)) {
        count(Fault::connect);
        idle_.push_back(index);
        over_ = ++connects_failed_ >= connects_failed_max;
        return;
      }
      connects_failed_ = 0;
    }
    connection.busy = true;
    ++busy_;
    connection.due = due;
    connection.sent = now;
    connection.sent_bytes = 0;
    connection.check.begin(due);
    if (!closed_loop()) {
      report_.late.record(now - due);
    }
    write(index);
  }

  void write(std::uint32_t index) {
    auto& connection = *connections_[index];
    while (connection.sent_bytes < request_.size()) {
      auto sent =
          connection.wire.send(request_.data() + connection.sent_bytes, request_.size() - connection.sent_bytes);
      if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
          break;
        }
        return end_request(index, errno == ECONNRESET || errno == EPIPE ? Fault::reset : Fault::closed);
      }
      connection.sent_bytes += static_cast<std::size_t>(sent);
    }
    bool wants_write = connection.sent_bytes < request_.size();
    if (wants_write != connection.wants_write) {
      connection.wants_write = wants_write;
      epoll_event event{.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.u64 = index}};
      epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, connection.socket.number(), &event);
    }
  }

  void read(std::uint32_t index) {
    auto& connection = *connections_[index];
    auto bytes = connection.wire.receive(buffer_.data(), buffer_.size());
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
      return;
    }
    if (!connection.busy) {
      // Between requests a server may close; anything else is a reply that nobody asked for.
      if (bytes > 0) {
        count(Fault::framing);
      }
      connection.socket = Descriptor();
      return;
    }
    if (bytes <= 0) {
      return end_request(index, bytes == 0 ? Fault::closed : Fault::reset);
    }
    auto now = Clock::now();
    switch (connection.check.take({buffer_.data(), static_cast<std::size_t>(bytes)}, now)) {
      case ReplyCheck::Verdict::unfinished: break;
      case ReplyCheck::Verdict::failed: return end_request(index, connection.check.fault());
      case ReplyCheck::Verdict::complete:
        ++report_.complete;
        report_.latency.record(now - connection.due);
        last_reply_ = now;
        return release(index, connection.check.keep_alive());
    }
    if (options_.hold && !connection.counted_open && connection.check.events() >= 2) {
      connection.counted_open = true;
      if (++held_ == options_.connections && options_.all_open) {
        options_.all_open(held_);
      }
    }
  }

  void end_request(std::uint32_t index, Fault fault) {
    count(fault);
    last_reply_ = Clock::now();
    release(index, false);
  }

  void release(std::uint32_t index, bool keep) {
    auto& connection = *connections_[index];
    connection.busy = false;
    --busy_;
    if (!keep) {
      connection.socket = Descriptor();
    }
    idle_.push_back(index);
  }

  void count(Fault fault) { ++report_.faults[static_cast<std::size_t>(fault)]; }

  void end_what_took_too_long(TimePoint now) {
    if (now < next_timeout_check_) {
      return;
    }
    next_timeout_check_ = now + timeout_check_interval;
    if (options_.hold) {
      return;  // held streams are meant to last; the run's own end is their limit
    }
    for (std::uint32_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i]->busy && now - connections_[i]->sent > from_seconds(options_.timeout_seconds)) {
        end_request(i, Fault::timeout);
      }
    }
  }

  void wait(TimePoint now) {
    auto until = std::min({next_due(), over_ ? TimePoint::max() : end_, next_timeout_check_});
    auto patience = until > now ? nanoseconds(until - now) : 0ns;
    timespec timeout{.tv_sec = patience.count() / 1'000'000'000, .tv_nsec = patience.count() % 1'000'000'000};
    std::array<epoll_event, 256> ready;
    int number = epoll_pwait2(epoll_.number(), ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
    for (int i = 0; i < number; ++i) {
      auto [events, data] = ready[static_cast<std::size_t>(i)];
      if (data.u64 == hold_mark) {
        over_ = true;
        continue;
      }
      auto index = static_cast<std::uint32_t>(data.u64);
      if ((events & EPOLLOUT) != 0) {
        write(index);
      }
      if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && connections_[index]->socket.open()) {
        do {
          read(index);
        } while (connections_[index]->socket.open() && connections_[index]->wire.more_at_hand());
      }
    }
  }

  static constexpr std::uint64_t hold_mark = UINT64_MAX;

  const Options& options_;
  Target target_;
  std::string request_;
  std::vector<char> buffer_;
  TlsContext tls_;
  Descriptor epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<std::uint32_t> idle_;
  std::deque<TimePoint> backlog_;
  Report report_;
  TimePoint start_, end_, last_reply_, next_timeout_check_;
  std::uint64_t started_ = 0;
  std::size_t first_requests_ = 0;
  std::uint32_t busy_ = 0;
  std::uint32_t held_ = 0;
  std::uint32_t connects_failed_ = 0;  // one after the other
  bool over_ = false;
};

std::string problem_in(const Options& options) {
  if (options.connections < 1 || options.connections > connections_max) {
    return "connections must be from 1 to 20000";
  }
  if (!(options.seconds > 0) || options.seconds > seconds_max) {
    return "seconds must be above 0 and at most 3600";
  }
  if (!(options.rate >= 0) || options.rate > 1e6) {
    return "rate must be from 0 (closed loop) to 1000000 requests per second";
  }
  if (!(options.spread_seconds >= 0) || options.spread_seconds > options.seconds) {
    return "the spread must lie within the run's seconds";
  }
  if (!(options.timeout_seconds > 0) || options.timeout_seconds > seconds_max) {
    return "the timeout must be above 0 and at most 3600 seconds";
  }
  if (options.method != "POST" && options.method != "GET") {
    return "the method must be POST or GET";
  }
  if (options.status_expected < 200 || options.status_expected > 599) {
    return "the expected status must be from 200 to 599";
  }
  if (options.stream && (options.method != "POST" || options.status_expected != 200)) {
    return "a stream needs the method POST and the status 200";
  }
  if (options.hold && (!options.stream || options.rate > 0)) {
    return "hold needs stream and no rate";
  }
  return {};
}

}  // namespace

std::expected<Report, std::string> run(const Options& options) {
  if (auto problem = problem_in(options); !problem.empty()) {
    return std::unexpected(problem);
  }
  auto target = parse_target(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  // The kernel may wake a sleeper 50 µs late by default, to save energy; that would be measured as the server's
  // latency.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  return Run(options, *std::move(target)).run();
}

}  // namespace weir::load
