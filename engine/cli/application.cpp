#include "cli/application.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <new>

#include <CLI/CLI.hpp>

#include "cli/bench_options.hpp"
#include "cli/commands/commands.hpp"
#include "cli/config/config_keys.hpp"
#include "cli/config/precision_names.hpp"
#include "cli/run/prepared_run.hpp"
#include "core/error.hpp"
#include "landscape/shard.hpp"
#include "plan/passes.hpp"

namespace lossmap {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kInterrupted = 130;

const std::map<std::string, PlotKind> kPlotKinds = {
    {"line", PlotKind::line},       {"contour", PlotKind::contour},     {"filled", PlotKind::filled},
    {"heatmap", PlotKind::heatmap}, {"surface3d", PlotKind::surface3d}, {"trajectory", PlotKind::trajectory}};
const std::map<std::string, PlotFormat> kPlotFormats = {
    {"svg", PlotFormat::svg}, {"png", PlotFormat::png}, {"pdf", PlotFormat::pdf}};

/// What is wrong with a share; "" when nothing is. An empty text, too, would else be no share at all.
std::string check_share(const std::string& text) {
    try {
        static_cast<void>(parse_shard(text));
        return {};
    } catch (const InputError& error) {
        return error.what();
    }
}

/// Flags that `run` and `validate` share.
void add_run_flags(CLI::App& command, RunArguments& arguments) {
    command
        .add_option("--set", arguments.overrides,
                    "Put VALUE (JSON, or else a string) at a JSON pointer of the configuration")
        ->type_name("/json/pointer=VALUE")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
    command.add_option("--device", arguments.device, "auto, cpu, cuda or cuda:0,1; over the configuration's")
        ->type_name("DEVICE");
    command.add_option("--precision", arguments.precision, "Precision; over the configuration's")
        ->check(CLI::IsMember(precision_names()));
    std::vector<std::string> passes;
    for (const PassInfo& pass : pass_table())
        passes.emplace_back(pass.name);
    command
        .add_option("--disable-pass", arguments.disabled_passes, "Leave a pass of the graph optimiser out (repeatable)")
        ->check(CLI::IsMember(passes))
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
    command
        .add_option("--plan-cache", arguments.plan_cache,
                    "Where a GPU's plans are kept between runs, or off, which measures none; else "
                    "$LOSSMAP_PLAN_CACHE, or the user's cache folder")
        ->type_name("DIR");
    command
        .add_option("--shard", arguments.shard,
                    "Compute every N-th point only, share I of N, for several machines at once: I from 1 to N, or\n"
                    "from 0 to N - 1. The default folder is then runs/NAME-shard-I-of-N; 'lossmap merge' joins them")
        ->type_name("I/N")
        ->check(check_share);
    command.add_option("--threads", arguments.threads, "Threads; 0 is all that the process may use")
        ->check(CLI::Range(0, 65536));
    command.add_option("--log-level", arguments.log_level, "What stderr shows")
        ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
        ->capture_default_str();
}

/// The command line: options are stored into members, then the chosen command runs.
class CommandLine {
public:
    CommandLine() {
        app_.require_subcommand(1);
        app_.set_version_flag("--version", "lossmap " + program_version());
        app_.footer(
            "Examples:\n  lossmap inspect model.onnx\n  lossmap validate plane.json\n"
            "  lossmap run plane.json --out runs/plane\n  lossmap plot runs/plane --kind contour --format pdf\n\n"
            "Exit status: 0 done, 1 failure while running, 2 wrong usage, configuration or input, 3 regression\n"
            "found by compare, 130 interrupted with the journal intact (run the same command again to go on).");
        add_run();
        add_validate();
        add_inspect();
        add_plot();
        add_report();
        add_export();
        add_merge();
        bench_ = add_bench(app_, bench_arguments_);
        compare_ = add_compare(app_, compare_arguments_);
        devices_ =
            app_.add_subcommand("devices", "Backends, devices, memory, library versions; why a backend is missing");
        devices_->footer("Example:\n  lossmap devices");
    }

    CLI::App& app() { return app_; }

    int execute(std::ostream& out) {
        if (run_->parsed()) return run_command(run_arguments_, out);
        if (validate_->parsed()) return validate_command(validate_arguments_, out);
        if (inspect_->parsed()) return inspect_command(inspect_arguments_, out);
        if (plot_->parsed()) return plot_command(plot_arguments(), out);
        if (report_->parsed()) return report_command(report_arguments_, out);
        if (export_->parsed()) return export_command(export_arguments(), out);
        if (merge_->parsed()) return merge_command(merge_arguments_, out);
        if (bench_->parsed()) return bench_command(bench_arguments_, out);
        if (compare_->parsed()) return compare_command(compare_arguments_, out);
        return devices_command(out);
    }

private:
    void add_run() {
        run_ = app_.add_subcommand("run", "Run an experiment, or go on with it");
        run_->add_option("CONFIG", run_arguments_.config, "Configuration (JSON)")->required()->type_name("FILE");
        run_->add_option("--out", run_arguments_.out, "Folder of the run; default runs/NAME")->type_name("DIR");
        add_run_flags(*run_, run_arguments_);
        auto* resume = run_->add_flag("--resume", resume_, "Go on with the run that the folder holds (the default)");
        run_->add_flag("--fresh", run_arguments_.fresh, "Remove what lossmap wrote there, and start over")
            ->excludes(resume);
        auto* dry_run =
            run_->add_flag("--dry-run", run_arguments_.dry_run, "Check everything and estimate, as validate does");
        run_->add_option("--check-against", run_arguments_.check_against,
                         "Run nothing, but hold each layer against what rounding explains, and the loss against that\n"
                         "of another device in fp32; status 1 and the first layer that differs when one does")
            ->type_name("DEVICE")
            ->excludes(dry_run)
            ->excludes("--shard");
        run_->add_flag("--profile", run_arguments_.profile,
                       "Run nothing, but measure what each operation of the network costs on the device, and\n"
                       "evaluations a second")
            ->excludes(dry_run)
            ->excludes("--shard")
            ->excludes("--check-against");
        run_->add_flag("--mpi", run_arguments_.mpi,
                       "The ranks that mpirun or srun started compute the run together: same results, one folder")
            ->excludes(dry_run)
            ->excludes("--check-against")
            ->excludes("--profile");
        run_->add_option("--progress", run_arguments_.progress, "How to show progress; json goes to stdout")
            ->check(CLI::IsMember({"auto", "plain", "json", "none"}))
            ->capture_default_str();
        run_->footer(
            "A run that was stopped goes on when the same command is given again; every finished point is kept.\n"
            "A configuration with a sweep runs every combination into DIR/NNN-labels, and over all of them a table,\n"
            "small multiples and a page.\n\n"
            "Examples:\n  lossmap run plane.json\n  lossmap run plane.json --out runs/fine --set /x/points=101\n"
            "  lossmap run plane.json --fresh --threads 4\n"
            "  mpirun -n 8 lossmap run plane.json --mpi\n"
            "  lossmap run plane.json --shard $SLURM_ARRAY_TASK_ID/8\n"
            "  lossmap run plane.json --device cuda --precision fp16 --check-against cpu");
    }

    void add_validate() {
        validate_ = app_.add_subcommand("validate", "Check configurations, models, data and memory without running");
        validate_->add_option("CONFIG", validate_arguments_.configs, "Configurations (JSON)")
            ->required()
            ->type_name("FILE");
        validate_arguments_.shared.log_level = "warning";
        add_run_flags(*validate_, validate_arguments_.shared);
        validate_->footer(
            "Prints points, evaluations, work, memory and an estimate of the time, measured at the origin.\n\n"
            "Example:\n  lossmap validate configs/quickstart.json");
    }

    void add_inspect() {
        inspect_ =
            app_.add_subcommand("inspect", "Show a model: operators, parameters with role and filter axis, work");
        inspect_->add_option("MODEL", inspect_arguments_.model, "ONNX model")->required()->type_name("FILE");
        inspect_->add_flag("--json", inspect_arguments_.json, "Print JSON");
        inspect_->footer(
            "Examples:\n  lossmap inspect model.onnx\n  lossmap inspect model.onnx --json | jq .parameters");
    }

    void add_plot() {
        plot_ =
            app_.add_subcommand("plot", "Draw pictures of runs or surface files (the reference implementation's, too)");
        plot_->add_option("RUN", plot_arguments_.inputs, "Folders of runs or surface .h5 files")
            ->required()
            ->type_name("PATH");
        plot_->add_option("--kind", kinds_, "Kinds of picture (repeatable); default: those that fit")
            ->check(CLI::IsMember({"line", "contour", "filled", "heatmap", "surface3d", "trajectory"}))
            ->expected(1)
            ->allow_extra_args(false)
            ->take_all();
        plot_->add_option("--format", format_, "Format")
            ->check(CLI::IsMember({"svg", "png", "pdf"}))
            ->capture_default_str();
        PlotOptions& options = plot_arguments_.options;
        plot_->add_option("--vmin", options.vmin, "Lowest contour level, 0.1 where it is not given");
        plot_->add_option("--vmax", options.vmax, "Highest contour level, 10 where it is not given");
        plot_->add_option("--vlevel", options.vlevel, "Step between contour levels, 0.5 where it is not given");
        plot_->add_flag("--log", options.log, "Logarithmic loss");
        plot_
            ->add_option("--out", plot_arguments_.out,
                         "Folder for the pictures, or the file of a single one; default RUN/plots")
            ->type_name("PATH");
        plot_->footer(
            "Examples:\n  lossmap plot runs/plane\n  lossmap plot runs/plane --kind contour --format pdf --vmax 5\n"
            "  lossmap plot reference_surface.h5 --kind surface3d --out surface.svg");
    }

    void add_report() {
        report_ = app_.add_subcommand("report", "Write one self-contained, interactive page of one or several runs");
        report_->add_option("RUN", report_arguments_.runs, "Folders of runs or surface .h5 files")
            ->required()
            ->type_name("PATH");
        report_
            ->add_option("--out", report_arguments_.out,
                         "The page; default RUN/report.html, of several runs report.html")
            ->type_name("FILE");
        report_->footer("Example:\n  lossmap report runs/a runs/b --out both.html");
    }

    void add_export() {
        export_ = app_.add_subcommand("export", "Write a surface in another tool's format");
        export_->add_option("RUN", export_arguments_.input, "Folder of a run or surface .h5 file")
            ->required()
            ->type_name("PATH");
        export_->add_option("--format", export_format_, "vtp, obj, stl or gltf (planes), csv or npz")->required();
        export_->add_option("--zmax", export_arguments_.options.zmax, "Values above it are drawn at it");
        export_->add_flag("--log", export_arguments_.options.log, "ln(loss + 0.1) instead of the loss");
        export_->add_option("--split", export_arguments_.options.split,
                            "Split; default the first, of tables all. Of experiment repeat train_mean, train_std,\n"
                            "train_range, train_seed_1, ..");
        export_->add_option("--out", export_arguments_.out, "The file; default RUN/surface.FORMAT, or beside the .h5")
            ->type_name("FILE");
        export_->footer(
            "Examples:\n  lossmap export runs/plane --format vtp --log\n"
            "  lossmap export runs/plane --format stl --zmax 10 --out bowl.stl");
    }

    void add_merge() {
        merge_ = app_.add_subcommand("merge", "Join shares of one surface ('run --shard'), computed in folders apart");
        merge_->add_option("RUN", merge_arguments_.runs, "Folders of one run, or of one sweep")
            ->required()
            ->type_name("DIR");
        merge_
            ->add_option("--out", merge_arguments_.out,
                         "Folder of the whole run: new, empty, or what was merged before; may be one of RUN")
            ->required()
            ->type_name("DIR");
        merge_->footer(
            "Numbers are those of a run without shares, bit for bit. Needs neither model nor data. Points that no RUN\n"
            "has stay open: merge more into the same folder, or 'lossmap run CONFIG.json --out DIR' computes them.\n\n"
            "Example:\n  lossmap merge runs/plane-shard-*-of-8 --out runs/plane");
    }

    const ExportArguments& export_arguments() {
        export_arguments_.options.format = parse_export_format(export_format_);
        return export_arguments_;
    }

    const PlotArguments& plot_arguments() {
        plot_arguments_.options.format = kPlotFormats.at(format_);
        for (const std::string& kind : kinds_)
            plot_arguments_.kinds.push_back(kPlotKinds.at(kind));
        return plot_arguments_;
    }

    CLI::App app_{
        "Loss landscapes of trained networks: an ONNX model, data and a JSON file go in, surfaces and pictures\n"
        "come out.",
        "lossmap"};
    CLI::App* run_ = nullptr;
    CLI::App* validate_ = nullptr;
    CLI::App* inspect_ = nullptr;
    CLI::App* plot_ = nullptr;
    CLI::App* report_ = nullptr;
    CLI::App* export_ = nullptr;
    CLI::App* merge_ = nullptr;
    CLI::App* bench_ = nullptr;
    CLI::App* compare_ = nullptr;
    CLI::App* devices_ = nullptr;
    RunArguments run_arguments_;
    ValidateArguments validate_arguments_;
    InspectArguments inspect_arguments_;
    PlotArguments plot_arguments_;
    ReportArguments report_arguments_;
    ExportArguments export_arguments_;
    MergeArguments merge_arguments_;
    BenchArguments bench_arguments_;
    CompareArguments compare_arguments_;
    std::string export_format_;
    bool resume_ = false;  // only so that --resume and --fresh exclude each other
    std::vector<std::string> kinds_;
    std::string format_ = "svg";
};

std::string in_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/// Refuses commands that CLI11 would only call unexpected arguments.
void check_command_name(int argc, const char* const* argv, const CLI::App& app) {
    if (argc < 2 || argv[1][0] == '-') return;
    const std::string name = argv[1];
    std::vector<std::string> known;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        known.push_back(command->get_name());
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const std::string near = nearest(name, known);
    throw InputError("there is no command '{}'{}; see lossmap --help", name,
                     near.empty() ? "" : ", did you mean '" + near + "'?");
}

int parse_and_execute(int argc, const char* const* argv, std::ostream& out) {
    CommandLine line;
    check_command_name(argc, argv, line.app());
    try {
        line.app().parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // Help and version are results and go to stdout; CLI11 has its own exit statuses for the rest.
        if (error.get_exit_code() == 0) return line.app().exit(error, out, std::cerr);
        throw InputError("{}; see lossmap --help", in_one_line(error.what()));
    }
    const int status = line.execute(out);
    if (!out.flush()) throw Error("cannot write to stdout");
    return status;
}

}  // namespace

int exit_status_of(const std::exception& error) {
    if (dynamic_cast<const InputError*>(&error) != nullptr) return kWrongUsage;
    if (dynamic_cast<const Interrupted*>(&error) != nullptr) return kInterrupted;
    return kFailed;
}

void print_error(const std::exception& error) {
    const bool out_of_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
    std::cerr << "lossmap: error: " << (out_of_memory ? "not enough memory" : in_one_line(error.what())) << std::endl;
}

int run_application(int argc, const char* const* argv, std::ostream& out) {
    try {
        return parse_and_execute(argc, argv, out);
    } catch (const std::exception& error) {
        print_error(error);
        return exit_status_of(error);
    }
}

}  // namespace lossmap
