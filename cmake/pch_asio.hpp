// For the two folders that touch sockets and timers.
#pragma once
#include "pch_std.hpp"

#include <boost/asio.hpp>
