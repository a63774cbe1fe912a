// Throughput of the CPU backend on a model with synthetic images: one JSON object on stdout.
//   cpu_throughput MODEL.onnx [--seconds S] [--samples N] [--points P] [--threads T] [--tile K]
//                  [--precision fp32|bf16] [--serve] [--plan]
// --serve reads lines from stdin and measures once for each, so that a script can alternate runs with another program.
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <thread>

#include "backend/backend.hpp"
#include "core/philox.hpp"
#include "cpu/cpu_backend.hpp"
#include "graph/graph.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"

namespace {

using namespace lossmap;

struct Options {
    std::string model;
    double seconds = 2.0;
    std::int64_t samples = 128;
    std::size_t points = 2;
    int threads = 0;
    int tile = 0;
    Precision precision = Precision::fp32;
    bool serve = false;
    bool plan = false;
};

Precision precision_of(const std::string& name) {
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
        if (name == name_of(precision)) return precision;
    }
    throw InputError("precision '{}' is none of the CPU's", name);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int k = 1; k < argc; ++k) {
        const std::string name = argv[k];
        const auto value = [&]() -> const char* {
            if (++k >= argc) throw InputError("{} needs a value", name);
            return argv[k];
        };
        if (name == "--seconds")
            options.seconds = std::atof(value());
        else if (name == "--samples")
            options.samples = std::atoll(value());
        else if (name == "--points")
            options.points = static_cast<std::size_t>(std::atoll(value()));
        else if (name == "--threads")
            options.threads = std::atoi(value());
        else if (name == "--tile")
            options.tile = std::atoi(value());
        else if (name == "--precision")
            options.precision = precision_of(value());
        else if (name == "--serve")
            options.serve = true;
        else if (name == "--plan")
            options.plan = true;
        else
            options.model = name;
    }
    if (options.model.empty()) throw InputError("no model is named");
    return options;
}

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Of all threads of the process: what remains comparable when others use the machine, too.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

SampleChunk synthetic_chunk(const Shape& sample_shape, std::int64_t count) {
    SampleChunk chunk;
    chunk.count = count;
    Shape shape{count};
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    Tensor images(DType::f32, shape);
    std::uint64_t element = 0;
    for (float& value : images.as<float>())
        value = gaussian(1, 0, 2, element++);
    chunk.inputs.push_back(std::move(images));
    chunk.target = Tensor(DType::i64, {count});
    for (std::int64_t& label : chunk.target.as<std::int64_t>())
        label = 0;
    return chunk;
}

void run(const Options& options) {
    Graph graph = import_onnx(options.model);
    const ParameterSpace space = identify_parameters(graph);
    const StateVector origin = read_state(graph, space);
    std::vector<float> direction(origin.weights.size());
    for (std::size_t k = 0; k < direction.size(); ++k)
        direction[k] = 0.01F * gaussian(1, 1, 3, k) * origin.weights[k];
    const Value& input = graph.value(graph.inputs.at(0));
    Shape sample_shape;
    for (std::size_t k = 1; k < input.declared.size(); ++k)
        sample_shape.push_back(input.declared[k].extent);

    ExecutableRequest request;
    request.graph = &graph;
    request.space = &space;
    request.origin = &origin;
    request.axes = {{direction, {}}, {direction, {}}};
    request.inputs = {{input.name, DType::f32, sample_shape}};
    request.target = {"target", DType::i64, {}};
    request.threads = options.threads;
    request.tile_samples = options.tile;
    request.precision = options.precision;
    const auto backend = make_cpu_backend();
    const auto executable = backend->compile(request);
    if (options.plan) std::cerr << executable->plan_json() << '\n';

    const SampleChunk chunk = synthetic_chunk(sample_shape, options.samples);
    std::vector<Point> points(options.points);
    for (std::size_t k = 0; k < points.size(); ++k)
        points[k].coordinates = {0.1 * static_cast<double>(k), 0.0};
    std::vector<LossSums> sums(points.size());
    executable->evaluate(points, chunk, sums);
    const auto measure = [&] {
        const double ceiling_gflops =
            1e-9 * backend->measure_ceiling(options.precision, 1, 0.02).value_or(Ceiling{}).flops_per_second;
        const double start = now_seconds();
        const double cpu_start = cpu_seconds();
        std::int64_t evaluations = 0;
        while (now_seconds() - start < options.seconds) {
            executable->evaluate(points, chunk, sums);
            evaluations += options.samples * static_cast<std::int64_t>(points.size());
        }
        const double rate = static_cast<double>(evaluations) / (now_seconds() - start);
        const double gflops = 2e-9 * rate * static_cast<double>(executable->macs_per_sample());
        const unsigned cores =
            options.threads > 0 ? static_cast<unsigned>(options.threads) : std::thread::hardware_concurrency();
        std::cout << fmt::format(
                         "{{\"images_per_second\": {:.1f}, \"images_per_cpu_second\": {:.1f}, \"gflops\": {:.1f}, "
                         "\"ceiling_gflops\": {:.1f}, "
                         "\"fraction_of_ceiling\": {:.3f}, \"macs_per_sample\": {}, \"mean_loss\": {:.6f}}}",
                         rate, static_cast<double>(evaluations) / (cpu_seconds() - cpu_start), gflops,
                         ceiling_gflops * cores, gflops / (ceiling_gflops * cores), executable->macs_per_sample(),
                         sums[0].loss_sum / sums[0].weight_sum)
                  << std::endl;
    };
    if (!options.serve) return measure();
    for (std::string line; std::getline(std::cin, line);)
        measure();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
