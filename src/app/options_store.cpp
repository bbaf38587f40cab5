#include "app/options_table.hpp"

namespace weir::app {

using settings::Type;

void add_store_options(OptionTable& table) {
  const OptionTable options = {
      {.path = "store",
       .sentence = "Where calls are kept over the end of the process, and what each attempt of them did."},
      {.path = "store.url",
       .type = Type::secret,
       .fallback = "sqlite:weir.db",
       .sentence = "sqlite:FILE inside data_dir, or none: the last 1,000 calls in memory alone, nothing on the disk.",
       .example = "none"},
      {.path = "store.journal_segment",
       .type = Type::bytes,
       .fallback = "4MiB",
       .min = "64KiB",
       .max = "1GiB",
       .sentence = "How much one file of the journal holds, in which records wait for the store; each core has two, "
                   "and up to three (12 MiB, or one) that are there to be written again.",
       .example = "32MiB"},
      {.path = "store.retention", .sentence = "What is removed again, the oldest first."},
      {.path = "store.retention.age",
       .type = Type::duration,
       .fallback = "30d",
       .sentence = "How long a call is kept; 0: for ever.",
       .example = "365d"},
      {.path = "store.retention.size",
       .type = Type::bytes,
       .fallback = "2GiB",
       .max = "1024GiB",
       .sentence = "How much all of it may take; 0: no bound.",
       .example = "20GiB"},
      {.path = "store.retention.audit",
       .type = Type::duration,
       .fallback = "365d",
       .sentence = "How long the audit log tells of a change; 0: for ever.",
       .example = "1095d"},
  };
  table.insert(table.end(), options.begin(), options.end());
}

}  // namespace weir::app
