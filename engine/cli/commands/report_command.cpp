#include <ostream>

#include "cli/commands/commands.hpp"
#include "cli/commands/run_files.hpp"
#include "cli/commands/stored_sweep.hpp"
#include "output/report.hpp"

namespace lossmap {

namespace {

std::filesystem::path folder_of(const std::filesystem::path& input) {
    return std::filesystem::is_directory(input) ? input : input.parent_path();
}

}  // namespace

int report_command(const ReportArguments& arguments, std::ostream& out) {
    std::vector<ReportRun> runs;
    RunLog log("info");
    std::filesystem::path file = arguments.out;
    for (const std::filesystem::path& input : arguments.runs) {
        if (is_sweep(input)) {
            for (ReportRun& page : read_sweep(input, log).results.pages())
                runs.push_back(std::move(page));
        } else {
            runs.push_back(page_of(read_run(input)));
        }
        // The page of one run or sweep lies in its folder, that of several here.
        if (file.empty() && arguments.runs.size() == 1) file = folder_of(input) / "report.html";
    }
    if (file.empty()) file = "report.html";
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    write_report(file, runs);
    out << file.string() << '\n';
    return 0;
}

}  // namespace lossmap
