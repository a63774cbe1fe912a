// How long made-up images take: rows of many numbers on all processors, as the data set makes them, against one number
// after another, in turns; one JSON object on stdout.
//   synthetic_data [--samples N]
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string>
#include <thread>

#include "core/philox.hpp"
#include "data/dataset_factory.hpp"

namespace {

using namespace lossmap;

double seconds_of(const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
    constexpr std::int64_t kElements = 3 * 32 * 32;
    const std::int64_t samples = argc == 3 && std::string(argv[1]) == "--samples" ? std::atoll(argv[2]) : 10000;
    DataExpectation expectation;
    expectation.inputs = {{"input", DType::f32, {3, 32, 32}}};
    expectation.classes = 10;
    DataSpec spec;
    spec.synthetic_count = samples;
    const auto data = open_dataset(spec, expectation);
    double rows = std::numeric_limits<double>::infinity();
    double single = rows;
    float last = 0.0F;
    for (int round = 0; round < 3; ++round) {
        rows = std::min(rows, seconds_of([&] { last = data->read(0, samples).inputs[0].as<float>().back(); }));
        single = std::min(single, seconds_of([&] {
                              Tensor images(DType::f32, {samples, 3, 32, 32});
                              const auto values = images.as<float>();
                              for (std::size_t k = 0; k < values.size(); ++k)
                                  values[k] = gaussian(spec.synthetic_seed, 0xDA, name_hash("input"), k);
                              if (values.back() != last) std::abort();
                          }));
    }
    const auto numbers = static_cast<double>(samples * kElements);
    std::cout << fmt::format(
        "{{\"samples\": {}, \"threads\": {}, \"rows_seconds\": {:.3f}, \"one_at_a_time_seconds\": {:.3f}, "
        "\"rows_ns_a_number\": {:.2f}, \"one_at_a_time_ns_a_number\": {:.2f}}}\n",
        samples, std::thread::hardware_concurrency(), rows, single, rows / numbers * 1e9, single / numbers * 1e9);
}
