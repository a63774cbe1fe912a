#include "cli/bench_options.hpp"

#include <CLI/CLI.hpp>

#include "cli/config/precision_names.hpp"

namespace lossmap {
namespace {

constexpr int kMostRepetitions = 10'000;

template <typename Arguments>
void add_device(CLI::App& command, Arguments& arguments) {
    command.add_option("--device", arguments.device, "auto, cpu, cuda or cuda:0,1")
        ->type_name("DEVICE")
        ->capture_default_str();
    command.add_option("--threads", arguments.threads, "Threads; 0 is all that the process may use")
        ->check(CLI::Range(0, 65536));
    command.add_option("--repeat", arguments.repeat, "Repetitions")
        ->check(CLI::Range(1, kMostRepetitions))
        ->capture_default_str();
}

}  // namespace

CLI::App* add_bench(CLI::App& application, BenchArguments& arguments) {
    CLI::App* bench =
        application.add_subcommand("bench", "Measure throughput and how near it is to the machine's limit");
    bench->add_option("MODEL", arguments.models, "ONNX models")->type_name("FILE");
    bench->add_option("--suite", arguments.suite, "Benchmarks (JSON): models, points, samples, precisions")
        ->type_name("FILE");
    bench->add_option("--points", arguments.points, "Points of a plane, where the suite does not say")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    bench->add_option("--samples", arguments.samples, "Synthetic samples of the model's shape, likewise")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
        ->capture_default_str();
    bench->add_option("--precision", arguments.precision, "Precision, likewise")
        ->check(CLI::IsMember(precision_names()))
        ->capture_default_str();
    add_device(*bench, arguments);
    bench->add_option("--min-time", arguments.min_seconds, "Seconds that a repetition takes at least")
        ->check(CLI::Range(0.0, 86'400.0))
        ->capture_default_str();
    bench->add_flag("--layers", arguments.layers, "Measure each operation of the networks, too");
    bench->add_flag("--offline", arguments.offline,
                    "MLPerf's Offline scenario: an iteration begins with all samples in the host's memory, and their\n"
                    "way to the device is measured, too; without it, a device keeps them where they fit");
    bench->add_option("--json", arguments.json, "Write results in Google Benchmark's layout")->type_name("FILE");
    bench->add_option("--history", arguments.history, "Add results to this SQLite file, under --label")
        ->type_name("FILE");
    bench->add_option("--label", arguments.label, "What they are called in the history")->type_name("NAME");
    bench
        ->add_option("--plan-cache", arguments.plan_cache,
                     "Where a GPU's plans are kept between runs, or off; as for run")
        ->type_name("DIR");
    bench->add_option("--log-level", arguments.log_level, "What stderr shows")
        ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
        ->capture_default_str();
    bench->footer(
        "An evaluation is the loss of one sample at one point. The limit is measured between repetitions: fused\n"
        "multiply-adds of all cores in fp32, else the largest product of the device's library in that precision.\n\n"
        "Examples:\n  lossmap bench resnet20.onnx\n  lossmap bench resnet20.onnx --layers\n"
        "  lossmap bench resnet56.onnx --device cuda --precision fp16 --points 64 --samples 50000\n"
        "  lossmap bench --suite configs/bench/suite.json --json base.json --history bench.sqlite --label main");
    return bench;
}

CLI::App* add_compare(CLI::App& application, CompareArguments& arguments) {
    CLI::App* compare = application.add_subcommand("compare", "Find benchmarks that have become slower");
    compare->add_option("BASE", arguments.base, "Results of bench --json; a label; a lossmap program")->required();
    compare->add_option("NEW", arguments.changed, "The same, of what is compared with it")->required();
    compare->add_option("--threshold", arguments.threshold, "Share by which a benchmark may be slower")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    auto* history = compare->add_option("--history", arguments.history, "BASE and NEW are labels in this SQLite file")
                        ->type_name("FILE");
    auto* binaries =
        compare->add_flag("--binaries", arguments.binaries, "BASE and NEW are programs, which run --suite in turn");
    binaries->excludes(history);
    compare->add_option("--suite", arguments.suite, "What the programs run")->type_name("FILE");
    add_device(*compare, arguments);
    compare->footer(
        "Rates are held against what the machine had at the same time. A benchmark is slower when its rate is less "
        "than\n"
        "1 - threshold of the base's and the interval of the ratio (95 %, from 5 repetitions on) lies below 1; status "
        "3\n"
        "then.\n\n"
        "Examples:\n  lossmap compare base.json new.json\n"
        "  lossmap compare --history bench.sqlite main mine --threshold 0.03\n"
        "  lossmap compare --binaries old/bin/lossmap new/bin/lossmap --suite configs/bench/suite.json");
    return compare;
}

}  // namespace lossmap
