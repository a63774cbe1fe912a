// In which form a run's data come: one network reads all of them.
#include "cli/run/data_source.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "io/npy.hpp"
#include "onnx_import/importer.hpp"
#include "tests/cli/config_support.hpp"
#include "tests/support/onnx_builder.hpp"

namespace lossmap {
namespace {

using test::Json;

class DataSource : public ::testing::Test {
protected:
    DataSource() {
        test::small_dense_model().save(folder_ / "net.onnx");
        write<std::uint8_t>("bytes.npy", {0, 1, 2, 253, 254, 255}, {2, 3});
        write<float>("values.npy", {0, 1, 2, 3, 4, 5}, {2, 3});
        write<std::uint8_t>("labels.npy", {0, 1}, {2});
    }

    template <typename T>
    void write(const std::string& name, const std::vector<T>& values, const Shape& shape) const {
        write_npy(folder_ / name, Tensor::from<T>(values, shape).view());
    }

    /// A line whose training data are in the file given; statistics come from the other split where one is named.
    [[nodiscard]] Config config(const std::string& train, const std::string& test, const Json& splits,
                                const std::string& statistics = "") const {
        const auto split = [&](const std::string& x) {
            return Json{{"x", (folder_ / x).string()}, {"y", (folder_ / "labels.npy").string()}};
        };
        Json json{{"experiment", "interpolation"},
                  {"model", (folder_ / "net.onnx").string()},
                  {"to", (folder_ / "net.onnx").string()},
                  {"data", {{"format", "npy"}, {"train", split(train)}, {"test", split(test)}}},
                  {"splits", splits}};
        if (!statistics.empty()) {
            json["move"] = "reestimate";
            json["statistics"] = {{"split", statistics}, {"count", 2}, {"batch", 2}};
        }
        return test::load(json);
    }

    /// Channels of the tables of each split: 0 where chunks hold values. All of them are read.
    [[nodiscard]] std::vector<std::int64_t> channels(const Config& config, bool bytes) const {
        std::vector<std::int64_t> result;
        for (const auto& split : open_data(config, import_onnx(folder_ / "net.onnx"), bytes)) {
            result.push_back(split->inputs().at(0).byte_channels);
            EXPECT_EQ(split->read(0, 2).inputs.at(0).is_bytes(), result.back() > 0);
            if (config.statistics() == nullptr) continue;
            EXPECT_EQ(open_statistics(config, split->inputs())->inputs().at(0).byte_channels, result.back());
        }
        return result;
    }

    test::TemporaryDirectory folder_;
};

using Channels = std::vector<std::int64_t>;

TEST_F(DataSource, BytesComeAsSuchWhereTheBackendPrefersThem) {
    const Config both = config("bytes.npy", "bytes.npy", {"train", "test"});
    EXPECT_EQ(channels(both, true), (Channels{1, 1}));
    EXPECT_EQ(channels(both, false), (Channels{0, 0}));
    EXPECT_EQ(channels(config("bytes.npy", "bytes.npy", {"train"}, "test"), true), (Channels{1}));
    EXPECT_EQ(channels(config("values.npy", "values.npy", {"train"}), true), (Channels{0}));
}

TEST_F(DataSource, DataOfTwoKindsComeAsValues) {
    EXPECT_EQ(channels(config("bytes.npy", "values.npy", {"train", "test"}), true), (Channels{0, 0}));
    EXPECT_EQ(channels(config("values.npy", "bytes.npy", {"train", "test"}), true), (Channels{0, 0}));
    EXPECT_EQ(channels(config("bytes.npy", "values.npy", {"train"}, "test"), true), (Channels{0}));
    EXPECT_EQ(channels(config("bytes.npy", "values.npy", {"train"}), true), (Channels{1}));
}

}  // namespace
}  // namespace lossmap
