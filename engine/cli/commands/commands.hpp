#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "output/export.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// What the command line of `run` and `validate` says.
struct RunArguments {
    std::filesystem::path config;
    std::filesystem::path out;  ///< empty: runs/NAME
    std::vector<std::string> overrides;
    std::string device;     ///< "": the configuration's
    std::string precision;  ///< likewise
    std::string plan_cache;
    std::string shard;  ///< "2/8": the share of the points; "": all
    std::vector<std::string> disabled_passes;
    int threads = 0;
    bool fresh = false;
    bool dry_run = false;
    std::string check_against;  ///< device that layers and losses are held against instead of a run; "": none
    bool profile = false;       ///< measure operations and rates instead of a run
    bool mpi = false;           ///< the ranks of an MPI launcher compute it together
    std::string progress = "auto";
    std::string log_level = "info";
};

struct ValidateArguments {
    std::vector<std::filesystem::path> configs;
    RunArguments shared;  ///< `config` and `out` are not used
};

struct InspectArguments {
    std::filesystem::path model;
    bool json = false;
};

struct PlotArguments {
    std::vector<std::filesystem::path> inputs;
    std::vector<PlotKind> kinds;  ///< empty: those that fit
    PlotOptions options;
    std::filesystem::path out;
};

struct ReportArguments {
    std::vector<std::filesystem::path> runs;
    std::filesystem::path out;
};

struct ExportArguments {
    std::filesystem::path input;
    ExportOptions options;
    std::filesystem::path out;  ///< empty: RUN/surface.FORMAT, or beside the .h5
};

struct MergeArguments {
    std::vector<std::filesystem::path> runs;
    std::filesystem::path out;
};

struct BenchArguments {
    std::vector<std::filesystem::path> models;
    std::filesystem::path suite;  ///< "": none
    std::int64_t points = 16;
    std::int64_t samples = 256;
    std::string precision = "fp32";
    std::string device = "auto";
    std::string plan_cache;
    int threads = 0;
    int repeat = 5;
    double min_seconds = 0.5;  ///< that a repetition takes at least
    bool layers = false;
    bool offline = false;
    std::filesystem::path json;     ///< "": none is written
    std::filesystem::path history;  ///< likewise
    std::string label;
    std::string log_level = "warning";
};

struct CompareArguments {
    std::string base;     ///< a file of results, a label of the history, or a program
    std::string changed;  ///< likewise
    double threshold = 0.05;
    std::filesystem::path history;  ///< "": base and changed are no labels
    bool binaries = false;
    std::filesystem::path suite;  ///< that the programs run
    int repeat = 5;
    std::string device = "auto";
    int threads = 0;
};

// One function a command: results to `out`, messages to stderr; the result is the exit status. They throw the
// exceptions of core/error.hpp, which main turns into a sentence and an exit status.
int run_command(const RunArguments& arguments, std::ostream& out);
int validate_command(const ValidateArguments& arguments, std::ostream& out);
int inspect_command(const InspectArguments& arguments, std::ostream& out);
int plot_command(const PlotArguments& arguments, std::ostream& out);
int report_command(const ReportArguments& arguments, std::ostream& out);
int export_command(const ExportArguments& arguments, std::ostream& out);
int merge_command(const MergeArguments& arguments, std::ostream& out);
int devices_command(std::ostream& out);
int bench_command(const BenchArguments& arguments, std::ostream& out);
/// 3 where a benchmark is slower beyond threshold and noise.
int compare_command(const CompareArguments& arguments, std::ostream& out);

/// 2 for what the user handed in, 130 for a stop, 1 for everything else.
[[nodiscard]] int exit_status_of(const std::exception& error);
/// "lossmap: error: <sentence>" in one line.
void print_error(const std::exception& error);

}  // namespace lossmap
