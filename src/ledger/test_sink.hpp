#pragma once

#include <utility>
#include <vector>

#include "ledger/request_record.hpp"
#include "observe/silent_log.hpp"

namespace weir::ledger {

/// For tests: keeps the records, and forgets what is logged.
class TestSink final : public RecordSink, public observe::SilentLog {
 public:
  void record(RecordPtr record) override { records.push_back(std::move(record)); }
  std::vector<RecordPtr> records;
};

}  // namespace weir::ledger
