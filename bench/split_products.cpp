// split_products: what convolutions make of a network's outputs when their operands are split into halves for tensor
// cores: each scheme emulated on the host, against products and sums in fp64.
//
//   split_products MODEL.onnx IMAGES.bin [--samples N] [--point ALPHA].. [--scheme TEXT]
//
// IMAGES.bin: records of CIFAR-10, or "noise". ALPHA: how far from the trained network, along a direction with the
// norms of its filters. TEXT: only schemes whose name holds it. Convolutions of one group with a ReLU or none behind
// them.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/split_scheme.hpp"
#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "kernels/convolution.hpp"
#include "kernels/epilogue.hpp"
#include "kernels/kernel_table.hpp"
#include "onnx_import/importer.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap::bench {
namespace {

/// The scheme that the emulated kernels work with; nullptr: fp64. Entries of a kernel table are functions: they have no
/// other way to know.
const Scheme* current = nullptr;
std::int64_t values_lost = 0;  ///< inputs that the first part does not hold

float load(const kernels::Input& from, std::int64_t at) { return static_cast<const float*>(from.data)[at]; }

/// An operand's parts, [part][element].
std::vector<std::vector<float>> split_all(const float* values, std::int64_t count, float scale) {
    const int parts = current != nullptr && current->round != nullptr ? current->parts : 1;
    std::vector<std::vector<float>> result(static_cast<std::size_t>(parts),
                                           std::vector<float>(static_cast<std::size_t>(count)));
    for (std::int64_t k = 0; k < count; ++k) {
        const auto at = static_cast<std::size_t>(k);
        if (current == nullptr || current->round == nullptr) {
            result[0][at] = values[k];
            continue;
        }
        const Parts split = current->split(values[k] * scale);
        if (std::isfinite(values[k]) && !std::isfinite(split[0])) ++values_lost;
        for (std::size_t part = 0; part < result.size(); ++part)
            result[part][at] = split[part];
    }
    return result;
}

/// The host's convolution with the current scheme's arithmetic: f32, channels innermost, one group.
class SchemeConvolution {
public:
    SchemeConvolution(const kernels::ConvolutionArgs& args, std::int64_t point)
        : args_(args), point_(point), scale_(current != nullptr ? current->weight_scale : 1.0F) {
        const kernels::WindowGeometry& w = args.window;
        const std::int64_t pixels = w.input[0] * w.input[1] * w.input[2],
                           taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
        pixels_ = split_all(static_cast<const float*>(args.in.data) + point * args.in.point_stride,
                            args.samples * pixels * args.group_channels, 1.0F);
        weights_ = split_all(static_cast<const float*>(args.weight.data) + point * args.weight.point_stride,
                             args.group_filters * taps * args.group_channels, scale_);
    }

    void run() const {
        const std::int64_t *out = args_.window.output, pixels = out[0] * out[1] * out[2];
        auto* target = static_cast<float*>(args_.out.data) + point_ * args_.out.point_stride;
        for (std::int64_t k = 0; k < args_.samples * args_.group_filters * pixels; ++k) {
            kernels::PlaneLoop::Place place{};
            place.channel = k % args_.group_filters;
            std::int64_t rest = k / args_.group_filters;
            for (int axis = 2; axis >= 0; --axis) {
                place.position[axis] = rest % out[axis];
                rest /= out[axis];
            }
            place.sample = rest;
            float value = sum_at(place);
            if (args_.activation.op == kernels::UnaryOp::relu) value = value < 0.0F ? 0.0F : value;
            target[kernels::convolution_output(args_, place)] = current != nullptr ? current->stored(value) : value;
        }
    }

private:
    struct Sums {
        float high = 0.0F;
        float low = 0.0F;  ///< of products with a low part, where they are summed apart
    };

    [[nodiscard]] float sum_at(const kernels::PlaneLoop::Place& place) const {
        const float bias =
            args_.bias.data == nullptr ? 0.0F : load(args_.bias, point_ * args_.bias.point_stride + place.channel);
        const std::int64_t from = kernels::plane_offset(args_.in_strides, place.sample, 0);
        const std::int64_t filter = place.channel * args_.weight_filter_stride;
        Sums sums{bias * scale_};
        float& sum = sums.high;
        double exact = static_cast<double>(bias);
        kernels::for_each_tap(args_, place, [&](std::int64_t pixel, std::int64_t tap) {
            const auto a = static_cast<std::size_t>(from + pixel), b = static_cast<std::size_t>(filter + tap);
            if (current == nullptr) {
                for (std::size_t c = 0; c < static_cast<std::size_t>(args_.group_channels); ++c)
                    exact += static_cast<double>(pixels_[0][a + c]) * static_cast<double>(weights_[0][b + c]);
            } else if (current->round == nullptr) {
                for (std::size_t c = 0; c < static_cast<std::size_t>(args_.group_channels); ++c)
                    sum = std::fma(pixels_[0][a + c], weights_[0][b + c], sum);
            } else {
                add_products(sums, a, b);
            }
        });
        return current == nullptr ? static_cast<float>(exact) : (sum + sums.low) / scale_;
    }

    void add_products(Sums& sums, std::size_t a, std::size_t b) const {
        for (std::int64_t first = 0; first < args_.group_channels; first += current->depth) {
            const std::int64_t count = std::min<std::int64_t>(current->depth, args_.group_channels - first);
            const auto at = static_cast<std::size_t>(first);
            for (const auto& [pixel, weight] : current->products) {
                float& sum = current->apart && pixel + weight > 0 ? sums.low : sums.high;
                sum = tensor_core_sum(sum, pixels_[static_cast<std::size_t>(pixel)].data() + a + at,
                                      weights_[static_cast<std::size_t>(weight)].data() + b + at, count);
            }
        }
    }

    const kernels::ConvolutionArgs& args_;
    std::int64_t point_;
    float scale_;
    std::vector<std::vector<float>> pixels_;
    std::vector<std::vector<float>> weights_;
};

void convolve(const kernels::ConvolutionArgs& args, kernels::Queue) {
    const bool is_plain =
        args.groups == 1 && !args.transposed && args.in.type == DType::f32 && args.out.type == DType::f32 &&
        args.weight_channel_stride == 1 && args.in_strides.channel == 1 &&
        (args.activation.op == kernels::UnaryOp::identity || args.activation.op == kernels::UnaryOp::relu);
    if (!is_plain) throw UnsupportedError("a convolution of another kind");
    for (std::int64_t point = 0; point < args.points; ++point)
        SchemeConvolution(args, point).run();
}

/// The host's epilogue, its results as the current scheme keeps them.
void finish(const kernels::EpilogueArgs& args, kernels::Queue queue) {
    kernels::host_kernels().epilogue(args, queue);
    if (current == nullptr || args.out.type != DType::f32) return;
    for (std::int64_t point = 0; point < args.points; ++point) {
        auto* values = static_cast<float*>(args.out.data) + point * args.out.point_stride;
        for (std::int64_t k = 0; k < args.rows * args.channels * args.inner; ++k)
            values[k] = current->stored(values[k]);
    }
}

/// The emulated device with those two kernels, and no library to convolve for it.
class SchemeDevice final : public cuda::Device {
public:
    SchemeDevice() : table_(kernels::host_kernels()) {
        table_.convolution = convolve;
        table_.epilogue = finish;
    }
    [[nodiscard]] const cuda::DeviceFacts& facts() const override { return host_.facts(); }
    [[nodiscard]] const kernels::KernelTable& kernels() const override { return table_; }
    [[nodiscard]] cuda::Memory allocate(std::size_t bytes) override { return host_.allocate(bytes); }
    [[nodiscard]] cuda::Memory allocate_pinned(std::size_t bytes) override { return host_.allocate_pinned(bytes); }
    [[nodiscard]] std::unique_ptr<cuda::Queue> make_queue() override { return host_.make_queue(); }
    [[nodiscard]] std::vector<cuda::LibraryWay> gemm_ways(const cuda::GemmProblem& problem) override {
        return host_.gemm_ways(problem);
    }
    [[nodiscard]] std::unique_ptr<cuda::GemmPlan> build_gemm(const cuda::GemmProblem& problem,
                                                             const cuda::LibraryWay& way,
                                                             std::span<const std::byte> serialized) override {
        return host_.build_gemm(problem, way, serialized);
    }
    [[nodiscard]] std::vector<cuda::LibraryWay> convolution_ways(const cuda::ConvolutionProblem&,
                                                                 std::string& why_none) override {
        why_none = "convolutions are emulated";
        return {};
    }
    [[nodiscard]] std::unique_ptr<cuda::ConvolutionPlan> build_convolution(
        const cuda::ConvolutionProblem& problem, const cuda::LibraryWay& way,
        std::span<const std::byte> serialized) override {
        return host_.build_convolution(problem, way, serialized);
    }
    [[nodiscard]] std::unique_ptr<cuda::EigenPlan> plan_eigen(std::int64_t order) override {
        return host_.plan_eigen(order);
    }

private:
    test::HostDevice host_;
    kernels::KernelTable table_;
};

/// Nearly normal: a sum of uniform numbers.
float gaussian(std::uint64_t& state) {
    double sum = 0.0;
    for (int k = 0; k < 12; ++k) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += static_cast<double>(state >> 11) * 0x1p-53;
    }
    return static_cast<float>(sum - 6.0);
}

/// Random, each filter with the norm of the network's own; tensors of one dimension do not move.
std::vector<float> direction_of(const ParameterSpace& space, const std::vector<float>& weights) {
    std::vector<float> direction(weights.size(), 0.0F);
    std::uint64_t state = 1;
    for (const Parameter& parameter : space.weights) {
        if (parameter.shape.size() < 2) continue;
        const auto filter = static_cast<std::size_t>(parameter.size / parameter.shape[0]);
        for (std::size_t first = 0; first < static_cast<std::size_t>(parameter.size); first += filter) {
            const std::size_t begin = static_cast<std::size_t>(parameter.offset) + first;
            double own = 0.0, random = 0.0;
            for (std::size_t k = begin; k < begin + filter; ++k) {
                direction[k] = gaussian(state);
                own += static_cast<double>(weights[k]) * static_cast<double>(weights[k]);
                random += static_cast<double>(direction[k]) * static_cast<double>(direction[k]);
            }
            for (std::size_t k = begin; k < begin + filter; ++k)
                direction[k] *= static_cast<float>(std::sqrt(own / random));
        }
    }
    return direction;
}

/// Images of CIFAR-10 as the network's paper normalises them, or noise.
SampleChunk samples_of(const std::string& file, std::int64_t count) {
    constexpr std::array<float, 3> kMean{125.3F, 123.0F, 113.9F}, kDeviation{63.0F, 62.1F, 66.7F};
    SampleChunk chunk;
    chunk.count = count;
    Tensor images(DType::f32, {count, 3, 32, 32});
    chunk.target = Tensor(DType::i64, {count});
    std::ifstream stream(file, std::ios::binary);
    if (file != "noise" && !stream) throw InputError("{} cannot be read", file);
    std::uint64_t state = 7;
    for (std::int64_t sample = 0; sample < count; ++sample) {
        std::array<char, 3073> record{};
        if (stream.is_open() && !stream.read(record.data(), record.size())) throw InputError("{} is too short", file);
        chunk.target.as<std::int64_t>()[static_cast<std::size_t>(sample)] = record[0];
        for (std::size_t k = 0; k < 3072; ++k) {
            const auto byte = static_cast<float>(static_cast<unsigned char>(record[k + 1]));
            images.as<float>()[static_cast<std::size_t>(sample) * 3072 + k] =
                stream.is_open() ? (byte - kMean[k / 1024]) / kDeviation[k / 1024] : gaussian(state);
        }
    }
    chunk.inputs.push_back(std::move(images));
    return chunk;
}

/// Mean cross entropy.
double loss_of(const Tensor& logits, const SampleChunk& chunk) {
    const auto values = logits.as<float>();
    const std::size_t classes = values.size() / static_cast<std::size_t>(chunk.count);
    double total = 0.0;
    for (std::size_t sample = 0; sample < static_cast<std::size_t>(chunk.count); ++sample) {
        const auto row = values.subspan(sample * classes, classes);
        const double top = static_cast<double>(*std::ranges::max_element(row));
        double sum = 0.0;
        for (const float value : row)
            sum += std::exp(static_cast<double>(value) - top);
        const auto target = static_cast<std::size_t>(chunk.target.as<std::int64_t>()[sample]);
        total += std::log(sum) + top - static_cast<double>(row[target]);
    }
    return total / static_cast<double>(chunk.count);
}

/// Largest difference of two lists of outputs over the largest output.
double difference(const Tensor& actual, const Tensor& expected) {
    double largest = 0.0, apart = 0.0;
    for (std::size_t k = 0; k < expected.as<float>().size(); ++k) {
        const auto wanted = static_cast<double>(expected.as<float>()[k]);
        const double one = std::abs(static_cast<double>(actual.as<float>()[k]) - wanted);
        largest = std::max(largest, std::abs(wanted));
        apart = one <= apart ? apart : one;  // NaN stays
    }
    return apart / largest;
}

int run(const std::string& model, const std::string& images, std::int64_t samples, const std::vector<double>& points,
        const std::string& wanted) {
    Graph graph = import_onnx(model);
    const ParameterSpace space = identify_parameters(graph);
    const StateVector origin = read_state(graph, space);
    const std::vector<float> direction = direction_of(space, origin.weights);
    const SampleChunk chunk = samples_of(images, samples);
    ExecutableRequest request;
    request.graph = &graph;
    request.space = &space;
    request.origin = &origin;
    request.axes = {{direction, {}}};
    request.inputs = {{graph.value(graph.inputs[0]).name, DType::f32, {3, 32, 32}}};
    request.target = {"target", DType::i64, {}};
    request.precision = Precision::fp32;
    request.threads = 1;
    const auto backend = cuda::make_cuda_backend({std::make_shared<SchemeDevice>()});
    const auto executable = backend->compile(request);
    std::printf("%-26s %6s %12s %12s %12s %s\n", "scheme", "point", "loss", "loss error", "outputs", "values lost");
    for (const double point : points) {
        current = nullptr;
        const Tensor exact = executable->forward({{point}}, chunk);
        const double loss = loss_of(exact, chunk);
        for (const Scheme& scheme : schemes()) {
            if (std::string(scheme.name).find(wanted) == std::string::npos) continue;
            current = &scheme;
            values_lost = 0;
            const Tensor outputs = executable->forward({{point}}, chunk);
            std::printf("%-26s %6.2f %12.5g %12.2e %12.2e %lld\n", scheme.name, point, loss,
                        std::abs(loss_of(outputs, chunk) - loss) / std::abs(loss), difference(outputs, exact),
                        static_cast<long long>(values_lost));
            std::fflush(stdout);
        }
    }
    return 0;
}

}  // namespace
}  // namespace lossmap::bench

int main(int count, char** arguments) {
    std::vector<std::string> names;
    std::vector<double> points;
    std::string wanted;
    std::int64_t samples = 2;
    for (int k = 1; k < count; ++k) {
        const std::string argument = arguments[k];
        if (argument == "--samples" && k + 1 < count)
            samples = std::atoll(arguments[++k]);
        else if (argument == "--point" && k + 1 < count)
            points.push_back(std::atof(arguments[++k]));
        else if (argument == "--scheme" && k + 1 < count)
            wanted = arguments[++k];
        else
            names.push_back(argument);
    }
    if (names.size() != 2 || samples < 1) {
        std::fprintf(
            stderr,
            "usage: split_products MODEL.onnx IMAGES.bin|noise [--samples N] [--point ALPHA].. [--scheme TEXT]\n");
        return 2;
    }
    if (points.empty()) points = {0.0, 0.25, 0.5, 1.0};
    try {
        return lossmap::bench::run(names[0], names[1], samples, points, wanted);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "split_products: error: %s\n", error.what());
        return 1;
    }
}
