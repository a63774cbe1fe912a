#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx_import/importer.hpp"
#include "tests/onnx_import/refusal.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;

class ExternalDataTest : public ::testing::Test {
protected:
    ExternalDataTest() {
        std::filesystem::create_directory(folder_ / "model");
        const float values[] = {9, 1, 2, 3};
        write_file(folder_ / "model/weights.bin", std::string(reinterpret_cast<const char*>(values), sizeof(values)));
        write_file(folder_ / "secret.bin", std::string(16, 'x'));
    }

    /// Saves a model whose initializer "t" [3] lies at `location`.
    std::filesystem::path save(const std::string& location, const std::string& offset, const std::string& length) {
        OnnxBuilder model = small_dense_model();
        onnx::TensorProto& tensor = *model.graph().add_initializer();
        tensor.set_name("t");
        tensor.set_data_type(onnx::TensorProto::FLOAT);
        tensor.add_dims(3);
        tensor.set_data_location(onnx::TensorProto::EXTERNAL);
        const auto add = [&](const std::string& key, const std::string& value) {
            if (value.empty()) return;
            auto& entry = *tensor.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        };
        add("location", location);
        add("offset", offset);
        add("length", length);
        const std::filesystem::path file = folder_ / "model/model.onnx";
        model.save(file);
        return file;
    }

    TemporaryDirectory folder_;
};

TEST_F(ExternalDataTest, IsReadAtItsOffset) {
    for (const std::string length : {"12", ""}) {
        const Graph graph = import_onnx(save("weights.bin", "4", length));
        EXPECT_THAT(graph.value(graph.find("t")).data->as<float>(), ElementsAre(1, 2, 3));
    }
}

TEST_F(ExternalDataTest, AModelInTheCurrentFolderIsFound) {
    save("weights.bin", "4", "12");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder_ / "model");
    EXPECT_NO_THROW(static_cast<void>(import_onnx("model.onnx")));
    std::filesystem::current_path(before);
}

TEST_F(ExternalDataTest, PathsOutsideTheFolderAreRefused) {
    expect_refused(save("../secret.bin", "0", "12"), "outside the model's folder");
    expect_refused(save("sub/../../secret.bin", "0", "12"), "outside the model's folder");
    expect_refused(save((folder_ / "secret.bin").string(), "0", "12"), "outside the model's folder");
    expect_refused(save("", "0", "12"), "outside the model's folder");
    expect_refused(save(std::string("weights.bin\0", 12), "0", "12"), "outside the model's folder");
    std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "model/link.bin");
    expect_refused(save("link.bin", "0", "12"), "outside the model's folder");
}

TEST_F(ExternalDataTest, ALinkWithinTheFolderIsFine) {
    std::filesystem::create_symlink("weights.bin", folder_ / "model/alias.bin");
    EXPECT_NO_THROW(static_cast<void>(import_onnx(save("alias.bin", "0", "12"))));
}

TEST_F(ExternalDataTest, MissingShortOrOddFilesAreRefused) {
    expect_refused(save("absent.bin", "0", "12"), "the external data file 'absent.bin' is missing");
    expect_refused(save(".", "0", "12"), "is not a regular file");
    expect_refused(save("weights.bin", "8", "12"), "ends at byte 20 of 'weights.bin', which has 16 bytes");
    expect_refused(save("weights.bin", "9223372036854775807", "12"), "which has 16 bytes");
    expect_refused(save("weights.bin", "0", "16"), "external data has 16 bytes, its shape needs 12");
    expect_refused(save("weights.bin", "-4", "12"), "has the offset '-4', expected a number of bytes");
    expect_refused(save("weights.bin", "4x", "12"), "has the offset '4x'");
    expect_refused(save("weights.bin", "0", "99999999999999999999"), "has the length");
}

TEST_F(ExternalDataTest, TheReferenceModelWithExternalWeightsIsRead) {
    LOSSMAP_REQUIRE_REFERENCE("models/zoo/squeezenet-external.onnx");
    const Graph external = import_onnx(reference_dir() / "models/zoo/squeezenet-external.onnx");
    const Graph plain = import_onnx(reference_dir() / "models/zoo/squeezenet.onnx");
    for (const ValueId id : plain.initializers) {
        const Value& expected = plain.value(id);
        const ValueId found = external.find(expected.name);
        if (expected.data->dtype() != DType::f32) continue;
        ASSERT_NE(found, kNoValue) << expected.name;
        const auto a = expected.data->as<float>();
        const auto b = external.value(found).data->as<float>();
        EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << expected.name;
    }
}

}  // namespace
}  // namespace lossmap::test
