#pragma once

#include <string>
#include <string_view>

namespace lossmap {

/// SHA-256 of the bytes, in base64: what a content security policy calls 'sha256-..' (CSP level 3, section 2.3.1).
[[nodiscard]] std::string sha256_base64(std::string_view bytes);

}  // namespace lossmap
