// Evaluates an untrained-data loss of a model through the installed libraries: import, parameters, CPU backend.
#include <cmath>
#include <cstdio>

#include "backend/backend.hpp"
#include "cpu/cpu_backend.hpp"
#include "onnx_import/importer.hpp"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    lossmap::Graph graph = lossmap::import_onnx(argv[1]);
    const lossmap::ParameterSpace space = lossmap::identify_parameters(graph);
    const lossmap::StateVector origin = lossmap::read_state(graph, space);
    lossmap::ExecutableRequest request;
    request.graph = &graph;
    request.space = &space;
    request.origin = &origin;
    request.inputs = {{"input", lossmap::DType::f32, {1, 28, 28}}};
    request.target = {"target", lossmap::DType::i64, {}};
    const auto executable = lossmap::make_cpu_backend()->compile(request);
    lossmap::SampleChunk chunk;
    chunk.count = 3;
    chunk.inputs.emplace_back(lossmap::DType::f32, lossmap::Shape{3, 1, 28, 28});
    for (float& value : chunk.inputs[0].as<float>())
        value = 0.5f;
    chunk.target = lossmap::Tensor(lossmap::DType::i64, {3});
    for (std::int64_t& label : chunk.target.as<std::int64_t>())
        label = 1;
    lossmap::LossSums sums;
    const lossmap::Point point;
    executable->evaluate({&point, 1}, chunk, {&sums, 1});
    std::printf("%lld samples, loss %g\n", static_cast<long long>(sums.counted), sums.loss_sum / sums.weight_sum);
    return sums.counted == 3 && std::isfinite(sums.loss_sum) ? 0 : 1;
}
