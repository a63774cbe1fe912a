#include "output/report.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <string_view>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "output/content_hash.hpp"
#include "output/report_assets.hpp"
#include "output/report_data.hpp"
#include "output/share_files.hpp"
#include "output/whole_file.hpp"

namespace lossmap {

namespace {

/// A page that mail and browsers still take well; plotly.min.js is 4.8 MB of it.
constexpr std::size_t kMaxPageBytes = 6'000'000;
constexpr const char* kPlotlyFile = "plotly.min.js";

/// The template with {{name}} replaced; what is put in is not looked at again.
std::string fill_template(std::string_view page, const std::map<std::string, std::string, std::less<>>& values) {
    std::string result;
    std::size_t position = 0;
    for (;;) {
        const std::size_t open = page.find("{{", position);
        if (open == std::string_view::npos) break;
        const std::size_t close = page.find("}}", open);
        const auto value = values.find(page.substr(open + 2, close - open - 2));
        if (close == std::string_view::npos || value == values.end())
            throw InternalError("the report's template is broken");
        result += page.substr(position, open - position);
        result += value->second;
        position = close + 2;
    }
    result += page.substr(position);
    return result;
}

/// An inline script must not hold what ends it, nor what HTML changes before the browser hashes it.
void check_script(const std::string& script, const std::string& name) {
    std::string lower(script);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* sequence : {"</script", "<script", "<!--", "\r"}) {
        if (lower.find(sequence) != std::string::npos)
            throw Error("{} cannot stand inside a page: it contains {}", name, sequence);
    }
    if (script.find('\0') != std::string::npos)
        throw Error("{} cannot stand inside a page: it contains a NUL byte", name);
}

std::string page_script() {
    using namespace report_assets;
    std::string script = "(() => {\n\"use strict\";\n";
    for (const std::string_view part : {kSurfaceDataScript, kFiguresScript, kPathFiguresScript, kCurveFiguresScript,
                                        kTableExportsScript, kMeshExportsScript, kCardsScript, kPageScript})
        script += part;
    return script + "})();\n";
}

/// Nothing from outside, no script but these two, no eval. Plotly sets style attributes and draws images from data
/// URLs.
std::string policy_of(const std::string& plotly, const std::string& script) {
    return fmt::format(
        "default-src 'none'; script-src 'sha256-{}' 'sha256-{}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        sha256_base64(plotly), sha256_base64(script));
}

std::size_t most_points_of_an_axis(const std::vector<ReportRun>& runs) {
    std::size_t most = 1;
    for (const ReportRun& run : runs)
        most = std::max({most, run.surface.x.size(), run.surface.y.size()});
    return most;
}

/// All points where they fit; else every second, third, .. of each axis, which the page says.
std::string fitting_data(const std::vector<ReportRun>& runs, std::size_t room) {
    const std::size_t most = most_points_of_an_axis(runs);
    std::size_t stride = 1;
    for (;;) {
        std::string data = report_data(runs, stride);
        if (data.size() <= room) return data;
        if (stride >= most)
            throw Error("a report of {} runs needs {} bytes of data; {} fit on one page", runs.size(), data.size(),
                        room);
        const double excess = static_cast<double>(data.size()) / static_cast<double>(room);
        stride = std::max(stride + 1, static_cast<std::size_t>(static_cast<double>(stride) * std::sqrt(excess)));
    }
}

}  // namespace

void write_report(const std::filesystem::path& file, const std::vector<ReportRun>& runs) {
    if (runs.empty()) throw InputError("a report needs at least one run");
    const std::string plotly = read_whole_file(share_file(kPlotlyFile));
    const std::string script = page_script();
    check_script(plotly, kPlotlyFile);
    check_script(script, "the report's script");
    std::map<std::string, std::string, std::less<>> values{
        {"policy", policy_of(plotly, script)},
        {"title", escape_html(runs.size() == 1 ? runs.front().title : "lossmap report")},
        {"style", std::string(report_assets::kStyle)},
        {"plotly", plotly},
        {"script", script},
        {"data", ""},
    };
    const std::size_t frame = fill_template(report_assets::kPage, values).size();
    if (frame >= kMaxPageBytes) throw Error("{} is too large for a page of {} bytes", kPlotlyFile, kMaxPageBytes);
    values["data"] = fitting_data(runs, kMaxPageBytes - frame);
    write_file_atomically(file, fill_template(report_assets::kPage, values));
}

}  // namespace lossmap
