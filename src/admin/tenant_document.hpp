#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/tenants.hpp"

/// A tenant as the admin API shows and takes it. Pure.
namespace weir::admin {

/// Puts the members of a document into `tenant`; a null is the default. The `id` is taken where the tenant has none
/// yet, and made of the name where the document names none. Errors: invalid_request, beginning with the member's path;
/// `tenant` is then half changed. Whether the parent is there is not asked here.
Result<void> read_tenant_document(std::string_view json, store::Tenant& tenant);

[[nodiscard]] std::string tenant_to_json(const store::Tenant& tenant);

/// What may be the id of a tenant that is made here: letters, digits, dots, dashes and underscores, up to 100.
[[nodiscard]] bool is_tenant_id(std::string_view id);

/// A name of letters, digits, dots, dashes and underscores is its own id; "The R&D Team" is `the-r-d-team`. Empty where
/// nothing is left.
[[nodiscard]] std::string tenant_id_of(std::string_view name);

}  // namespace weir::admin
