#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "auth/credential.hpp"
#include "auth/key_source.hpp"
#include "auth/principal.hpp"
#include "base/result.hpp"

namespace weir::auth {

enum class Mode : std::uint8_t { required, optional, none };

/// Decides who calls, by the key that a request brings, and what that key may. Immutable and without I/O: a table in
/// memory is looked at. Each core has its own, so that calls of two cores share no counter; a call keeps the one that
/// let it in.
class Gate {
 public:
  struct Options {
    Mode mode = Mode::required;
    /// No caller key was ever configured, and weir listens on loopback alone: nobody is asked for one.
    bool open = false;
    /// A key that opens /admin exists, or existed: without one nobody enters.
    bool admin_key_needed = false;
    /// The store was never read, so whether there are keys of those two kinds is not known.
    bool caller_keys_unknown = false;
    bool admin_keys_unknown = false;
  };
  /// What a caller asks for.
  struct Asked {
    std::string_view endpoint;  // its path, as registered
    std::string_view client;    // address
    platform::WallTime now;
  };

  Gate(Options options, std::shared_ptr<const KeyHasher> hasher, std::shared_ptr<const KeySource> keys)
      : options_(options), hasher_(std::move(hasher)), keys_(std::move(keys)) {}

  /// Who calls an endpoint for callers. Views of the principal live as long as the gate.
  [[nodiscard]] Result<Principal> caller(const Credential& credential, const Asked& asked) const;
  /// Who asks an endpoint of /admin. Only where admin_key_needed().
  [[nodiscard]] Result<Principal> administrator(const Credential& credential, const Asked& asked) const;
  [[nodiscard]] bool admin_key_needed() const { return options_.admin_key_needed; }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  [[nodiscard]] Result<Principal> holder(const Credential& credential, const Asked& asked) const;

  Options options_;
  std::shared_ptr<const KeyHasher> hasher_;
  std::shared_ptr<const KeySource> keys_;
};

/// Why `principal` may not name `model`; nothing where he may.
[[nodiscard]] std::optional<Error> refuse_model(const Principal& principal, std::string_view model);

}  // namespace weir::auth
