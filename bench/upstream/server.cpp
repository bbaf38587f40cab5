#include "upstream/server.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <queue>
#include <unordered_map>
#include <vector>

#include "upstream/replies.hpp"
#include "upstream/request_parser.hpp"

namespace weir::mock_upstream {
namespace {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::nanoseconds;

constexpr std::size_t read_bytes = 256 * 1024;

struct Counters {
  std::uint64_t connections = 0, requests = 0, streams = 0, events = 0, streams_left = 0, body_bytes = 0;
};

struct Connection {
  int socket = -1;
  RequestParser parser;
  std::string unsent;  // bytes that the socket did not take yet; while there are any, its stream pauses
  bool streaming = false;
  bool close_after = false;
  bool wants_write = false;
  Plan plan;
  std::uint64_t events_sent = 0;
  TimePoint next_event;
};

// A stream's next event. Ids are never used twice, so that a timer of a closed connection finds nothing.
struct Timer {
  TimePoint at;
  std::uint64_t id;
  bool operator>(const Timer& other) const { return at > other.at; }
};

}  // namespace

class Server::Loop {
 public:
  Loop(int listener, std::uint16_t port, const Plan& defaults)
      : listener_(listener),
        port_(port),
        defaults_(defaults),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        buffer_(read_bytes) {
    watch(listener_, EPOLLIN, listener_mark, EPOLL_CTL_ADD);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    for (auto& [id, connection] : connections_) {
      ::close(connection.socket);
    }
    ::close(listener_);
    ::close(epoll_);
  }

  std::uint16_t port() const { return port_; }

  void run(int stop_descriptor) {
    watch(stop_descriptor, EPOLLIN, stop_mark, EPOLL_CTL_ADD);
    std::array<epoll_event, 256> ready;
    while (true) {
      int number = wait(ready);
      for (int i = 0; i < number; ++i) {
        auto [events, data] = ready[static_cast<std::size_t>(i)];
        if (data.u64 == stop_mark) {
          return;
        }
        if (data.u64 == listener_mark) {
          accept();
        } else {
          serve(data.u64, events);
        }
      }
      send_due_events();
    }
  }

 private:
  static constexpr std::uint64_t listener_mark = UINT64_MAX;
  static constexpr std::uint64_t stop_mark = UINT64_MAX - 1;

  void watch(int descriptor, std::uint32_t events, std::uint64_t mark, int operation) const {
    epoll_event event{.events = events, .data = {.u64 = mark}};
    epoll_ctl(epoll_, operation, descriptor, &event);
  }

  int wait(std::array<epoll_event, 256>& ready) const {
    if (timers_.empty()) {
      return epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), -1);
    }
    auto left = std::max(nanoseconds(timers_.top().at - Clock::now()), nanoseconds(0));
    timespec timeout{.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
    return epoll_pwait2(epoll_, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
  }

  void accept() {
    for (int accepted = 0; accepted < 64; ++accepted) {
      int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) {
        return;
      }
      int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto id = next_id_++;
      connections_[id].socket = socket;
      watch(socket, EPOLLIN | EPOLLRDHUP, id, EPOLL_CTL_ADD);
      ++counters_.connections;
    }
  }

  void serve(std::uint64_t id, std::uint32_t events) {
    auto found = connections_.find(id);
    if (found == connections_.end()) {
      return;
    }
    auto& connection = found->second;
    if ((events & EPOLLOUT) != 0 && !flush(id, connection)) {
      return close(id);
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) {
      return;
    }
    auto bytes = ::recv(connection.socket, buffer_.data(), buffer_.size(), 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (bytes <= 0) {
      return close(id);
    }
    connection.parser.feed({buffer_.data(), static_cast<std::size_t>(bytes)});
    if (!answer_requests(id, connection)) {
      close(id);
    }
  }

  // False: the connection is over.
  bool answer_requests(std::uint64_t id, Connection& connection) {
    while (!connection.streaming) {
      auto request = connection.parser.next();
      if (!request) {
        if (connection.parser.take_continue()) {
          return send(id, connection, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        return !connection.parser.broken();
      }
      ++counters_.requests;
      counters_.body_bytes += request->body.size();
      connection.close_after = !request->keep_alive;
      if (!answer(id, connection, *request)) {
        return false;
      }
    }
    return true;
  }

  bool answer(std::uint64_t id, Connection& connection, const Request& request) {
    if (request.method == "POST") {
      auto plan = plan_for(request, defaults_);
      return plan.stream ? start_stream(id, connection, plan) : send(id, connection, replies_.completion());
    }
    auto path = request.target.substr(0, request.target.find('?'));
    auto reply = Replies::json_reply(
        path == "/stats" ? stats()
        : path.ends_with("/models")
            ? R"({"object":"list","data":[{"id":"bench","object":"model","created":1760000000,"owned_by":"bench"}]})"
            : R"({"status":"ok"})");
    return send(id, connection,
                request.method == "HEAD" ? std::string_view(reply).substr(0, reply.find("\r\n\r\n") + 4) : reply);
  }

  bool start_stream(std::uint64_t id, Connection& connection, const Plan& plan) {
    ++counters_.streams;
    connection.streaming = true;
    connection.plan = plan;
    connection.events_sent = 1;
    auto now = Clock::now();
    connection.next_event = now;
    ++counters_.events;
    std::string first(replies_.stream_head());
    first += replies_.role_event(now.time_since_epoch());
    return send(id, connection, first) && continue_stream(id, connection);
  }

  // Sends each event whose time has come, as a write of its own, and sets the timer of the next.
  bool continue_stream(std::uint64_t id, Connection& connection) {
    while (connection.streaming && connection.unsent.empty()) {
      auto now = Clock::now();
      if (connection.next_event > now) {
        timers_.push({connection.next_event, id});
        return true;
      }
      if (connection.events_sent + 1 < connection.plan.events) {
        ++connection.events_sent;
        ++counters_.events;
        connection.next_event += connection.plan.interval;
        if (!send(id, connection, replies_.content_event(now.time_since_epoch()))) {
          return false;
        }
        continue;
      }
      ++counters_.events;
      if (!send(id, connection, replies_.finish_event(now.time_since_epoch())) ||
          (connection.plan.usage_event && !send(id, connection, replies_.usage_event(now.time_since_epoch())))) {
        return false;
      }
      connection.streaming = false;
      return send(id, connection, replies_.done()) && answer_requests(id, connection);  // one may be waiting, pipelined
    }
    return true;
  }

  void send_due_events() {
    auto now = Clock::now();
    while (!timers_.empty() && timers_.top().at <= now) {
      auto id = timers_.top().id;
      timers_.pop();
      auto found = connections_.find(id);
      if (found != connections_.end() && !continue_stream(id, found->second)) {
        close(id);
      }
    }
  }

  bool send(std::uint64_t id, Connection& connection, std::string_view bytes) {
    if (connection.unsent.empty()) {
      auto sent = ::send(connection.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) {
        return false;
      }
      bytes.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    }
    connection.unsent += bytes;
    if (!connection.unsent.empty() && !connection.wants_write) {
      connection.wants_write = true;
      watch(connection.socket, EPOLLIN | EPOLLRDHUP | EPOLLOUT, id, EPOLL_CTL_MOD);
    }
    return !connection.close_after || connection.streaming || !connection.unsent.empty();
  }

  bool flush(std::uint64_t id, Connection& connection) {
    auto sent = ::send(connection.socket, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return errno == EAGAIN;
    }
    connection.unsent.erase(0, static_cast<std::size_t>(sent));
    if (!connection.unsent.empty()) {
      return true;
    }
    connection.wants_write = false;
    watch(connection.socket, EPOLLIN | EPOLLRDHUP, id, EPOLL_CTL_MOD);
    if (connection.streaming) {
      return continue_stream(id, connection);
    }
    return !connection.close_after;
  }

  void close(std::uint64_t id) {
    auto found = connections_.find(id);
    counters_.streams_left += found->second.streaming;
    ::close(found->second.socket);
    connections_.erase(found);
  }

  std::string stats() const {
    return fmt::format(
        R"({{"connections":{},"connections_open":{},"requests":{},"streams":{},"streams_left_early":{},"events":{},"body_bytes":{}}})",
        counters_.connections, connections_.size(), counters_.requests, counters_.streams, counters_.streams_left,
        counters_.events, counters_.body_bytes);
  }

  int listener_;
  std::uint16_t port_;
  Plan defaults_;
  int epoll_;
  std::vector<char> buffer_;
  Replies replies_;
  Counters counters_;
  std::unordered_map<std::uint64_t, Connection> connections_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::uint64_t next_id_ = 0;
};

std::expected<Server, std::string> Server::listen(std::uint16_t port, const Plan& defaults) {
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 4096) != 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::string error = fmt::format("cannot listen on 127.0.0.1:{}: {}", port, std::strerror(errno));
    ::close(listener);
    return std::unexpected(error);
  }
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // events leave when they are due, not up to 50 µs later
  return Server(std::make_unique<Loop>(listener, ntohs(address.sin_port), defaults));
}

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::Server(Server&&) noexcept = default;
Server::~Server() = default;
std::uint16_t Server::port() const {
  return loop_->port();
}
void Server::run(int stop_descriptor) {
  loop_->run(stop_descriptor);
}

}  // namespace weir::mock_upstream
