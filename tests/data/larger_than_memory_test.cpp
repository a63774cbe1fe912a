// Data larger than the memory that the process may have are read in chunks.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/dataset_factory.hpp"
#include "io/npy.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kSamples = 25'000;
constexpr std::int64_t kFeatures = 3072;
constexpr rlim_t kMemoryBytes = rlim_t{150} << 20;

/// A .npy file of 307 MB of zeros that takes no place on the disk, but for one number at the end.
void write_sparse(const std::filesystem::path& file) {
    const std::string header = npy_header(DType::f32, {kSamples, kFeatures});
    const float last = 7.0f;
    std::string number(sizeof last, '\0');
    std::memcpy(number.data(), &last, sizeof last);
    test::write_file(file, header);
    std::filesystem::resize_file(file, header.size() + kSamples * kFeatures * sizeof(float) - number.size());
    std::ofstream(file, std::ios::binary | std::ios::app) << number;
}

std::int64_t resident_bytes() {
    std::int64_t total = 0;
    std::int64_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

/// In the child: 0 when every chunk was read and little of the file stayed in memory.
int read_in_chunks(const DataSpec& spec, const DataExpectation& expectation) {
    const rlimit limit{kMemoryBytes, kMemoryBytes};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) return 10;
    try {
        const auto data = open_dataset(spec, expectation);
        double sum = 0;
        constexpr std::int64_t kChunk = 1000;
        for (std::int64_t first = 0; first < data->size(); first += kChunk) {
            const SampleChunk chunk = data->read(first, std::min(kChunk, data->size() - first));
            for (const float value : chunk.inputs[0].as<float>())
                sum += value;
        }
        if (sum != 7.0) return 11;
        if (data->content_hash().size() != 32) return 12;
        // The whole at once must not fit, or the test shows nothing.
        try {
            (void)data->read(0, data->size());
            return 13;
        } catch (const std::exception&) {
        }
        return resident_bytes() < std::int64_t{kMemoryBytes} ? 0 : 14;
    } catch (const std::exception&) {
        return 15;
    }
}

TEST(LargerThanMemory, ANpyFileStreams) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's own memory is above the limit";
#endif
    const test::TemporaryDirectory folder;
    write_sparse(folder / "x.npy");
    write_npy(folder / "y.npy", Tensor::from<std::int64_t>(std::vector<std::int64_t>(kSamples, 1), {kSamples}).view());
    DataSpec spec;
    spec.format = DataFormat::npy;
    spec.files.arrays = {{"x", folder / "x.npy"}, {"y", folder / "y.npy"}};
    DataExpectation expectation;
    expectation.inputs = {{"input", DType::f32, {kFeatures}}};
    expectation.classes = 10;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(read_in_chunks(spec, expectation));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace lossmap
