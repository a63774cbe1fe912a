#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "output/report.hpp"

namespace lossmap {

/// The runs as JSON for the page's <script type="application/json">: NaN and infinity are the strings "nan", "inf",
/// "-inf", and <, >, &, U+2028, U+2029 are escapes, so that no text can end the element. Only every `stride`-th point
/// of each axis is in it; 1 is all. Throws InputError when a split does not fit its axes.
[[nodiscard]] std::string report_data(const std::vector<ReportRun>& runs, std::size_t stride);

/// JSON text whose characters <, >, &, U+2028 and U+2029 are replaced by escapes: the same value, safe inside HTML.
[[nodiscard]] std::string escape_json_for_html(const std::string& json);

/// Text for an HTML element or a double-quoted attribute.
[[nodiscard]] std::string escape_html(const std::string& text);

}  // namespace lossmap
