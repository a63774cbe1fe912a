#include "cli/run/sweep/sweep_files.hpp"

#include "cli/run/outputs.hpp"
#include "cli/run/run_directory.hpp"
#include "output/report.hpp"

namespace lossmap {

std::vector<std::filesystem::path> write_sweep_files(const SweepResults& results, const std::filesystem::path& out,
                                                     RunLog& log, const std::function<void()>& check) {
    std::vector<std::filesystem::path> files;
    if (const std::optional<Table> exact = results.exact_table())
        files = write_tables(RunDirectory(out), *exact, *results.brief_table());
    if (results.empty()) return files;
    const std::vector<std::filesystem::path> pictures = results.draw({{}, {}, out / "plots", "", check}, log);
    files.insert(files.end(), pictures.begin(), pictures.end());
    write_report(out / "report.html", results.pages());
    files.push_back(out / "report.html");
    return files;
}

}  // namespace lossmap
