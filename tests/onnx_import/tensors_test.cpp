#include <bit>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx_import/importer.hpp"
#include "tests/onnx_import/refusal.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;
using Proto = onnx::TensorProto;

/// A model whose initializer "t" is `tensor`.
OnnxBuilder model_with(Proto tensor) {
    OnnxBuilder model = small_dense_model();
    tensor.set_name("t");
    *model.graph().add_initializer() = std::move(tensor);
    return model;
}

Proto tensor_of(int type, const std::vector<std::int64_t>& dims) {
    Proto tensor;
    tensor.set_data_type(type);
    for (const std::int64_t extent : dims)
        tensor.add_dims(extent);
    return tensor;
}

struct Imported {
    Graph graph;
    [[nodiscard]] const Tensor& t() const { return *graph.value(graph.find("t")).data; }
};

Imported import(const Proto& tensor) {
    const TemporaryDirectory folder;
    model_with(tensor).save(folder / "model.onnx");
    return {import_onnx(folder / "model.onnx")};
}

void expect_tensor_refused(const Proto& tensor, const std::string& part) {
    const TemporaryDirectory folder;
    model_with(tensor).save(folder / "model.onnx");
    expect_refused(folder / "model.onnx", "initializer 't': " + part);
}

template <typename T>
Proto raw_tensor(int type, const std::vector<T>& values) {
    Proto tensor = tensor_of(type, {static_cast<std::int64_t>(values.size())});
    tensor.set_raw_data(values.data(), values.size() * sizeof(T));
    return tensor;
}

TEST(Tensors, RawDataOfEachType) {
    EXPECT_THAT(import(raw_tensor<float>(Proto::FLOAT, {1.5F, -2})).t().as<float>(), ElementsAre(1.5F, -2));
    EXPECT_THAT(import(raw_tensor<std::int64_t>(Proto::INT64, {1, -2})).t().as<std::int64_t>(), ElementsAre(1, -2));
    EXPECT_THAT(import(raw_tensor<std::int32_t>(Proto::INT32, {1, -2})).t().as<std::int32_t>(), ElementsAre(1, -2));
    EXPECT_THAT(import(raw_tensor<std::int16_t>(Proto::INT16, {1, -2})).t().as<std::int16_t>(), ElementsAre(1, -2));
    EXPECT_THAT(import(raw_tensor<std::int8_t>(Proto::INT8, {1, -2})).t().as<std::int8_t>(), ElementsAre(1, -2));
    EXPECT_THAT(import(raw_tensor<std::uint8_t>(Proto::UINT8, {1, 255})).t().as<std::uint8_t>(), ElementsAre(1, 255));
    EXPECT_THAT(import(raw_tensor<std::uint16_t>(Proto::UINT16, {65535})).t().as<std::uint16_t>(), ElementsAre(65535));
    EXPECT_THAT(import(raw_tensor<std::uint32_t>(Proto::UINT32, {7})).t().as<std::uint32_t>(), ElementsAre(7));
    EXPECT_THAT(import(raw_tensor<std::uint64_t>(Proto::UINT64, {7})).t().as<std::uint64_t>(), ElementsAre(7));
    EXPECT_THAT(import(raw_tensor<std::uint8_t>(Proto::BOOL, {0, 3})).t().as<bool>(), ElementsAre(false, true));
}

TEST(Tensors, TypedFields) {
    Proto floats = tensor_of(Proto::FLOAT, {2});
    floats.add_float_data(1);
    floats.add_float_data(-0.5F);
    EXPECT_THAT(import(floats).t().as<float>(), ElementsAre(1, -0.5F));
    Proto small = tensor_of(Proto::INT8, {2});
    small.add_int32_data(-128);
    small.add_int32_data(127);
    EXPECT_THAT(import(small).t().as<std::int8_t>(), ElementsAre(-128, 127));
    Proto truth = tensor_of(Proto::BOOL, {2});
    truth.add_int32_data(0);
    truth.add_int32_data(1);
    EXPECT_THAT(import(truth).t().as<bool>(), ElementsAre(false, true));
    Proto wide = tensor_of(Proto::UINT32, {1});
    wide.add_uint64_data(4294967295U);
    EXPECT_THAT(import(wide).t().as<std::uint32_t>(), ElementsAre(4294967295U));
}

TEST(Tensors, ReducedAndDoublePrecisionBecomeFp32AndAreStated) {
    Proto half = tensor_of(Proto::FLOAT16, {3});
    for (const int bits : {0x3c00, 0xc000, 0x7c00})
        half.add_int32_data(bits);  // 1, -2, infinity
    const Imported imported = import(half);
    EXPECT_THAT(imported.t().as<float>(), ElementsAre(1, -2, std::numeric_limits<float>::infinity()));
    EXPECT_EQ(imported.graph.metadata.at("lossmap.converted"), "1 FLOAT16 tensor computed in fp32");
    EXPECT_THAT(import(raw_tensor<std::uint16_t>(Proto::BFLOAT16, {0x3f80, 0xc000})).t().as<float>(),
                ElementsAre(1, -2));
    EXPECT_THAT(import(raw_tensor<double>(Proto::DOUBLE, {0.1, 2})).t().as<float>(), ElementsAre(0.1F, 2));
}

TEST(Tensors, ScalarsAndEmptyOnes) {
    Proto scalar = tensor_of(Proto::FLOAT, {});
    scalar.add_float_data(3);
    EXPECT_EQ(import(scalar).t().shape(), Shape{});
    EXPECT_EQ(import(tensor_of(Proto::FLOAT, {0, 4})).t().count(), 0);
}

TEST(Tensors, SizesThatDisagreeAreRefused) {
    Proto raw = tensor_of(Proto::FLOAT, {2, 2});
    raw.set_raw_data(std::string(12, '\0'));
    expect_tensor_refused(raw, "it has 12 bytes, its shape [2, 2] needs 16");
    Proto typed = tensor_of(Proto::FLOAT, {3});
    typed.add_float_data(1);
    expect_tensor_refused(typed, "it has 1 values, its shape [3] needs 3");
    expect_tensor_refused(tensor_of(Proto::INT64, {1}), "it has 0 values");
    Proto other_field = tensor_of(Proto::FLOAT, {1});
    other_field.add_int32_data(1);
    expect_tensor_refused(other_field, "it has 0 values");
}

TEST(Tensors, ImpossibleShapesAreRefusedBeforeMemoryIsTaken) {
    Proto negative = tensor_of(Proto::FLOAT, {-1, 4});
    expect_tensor_refused(negative, "shape [-1, 4] has a negative extent");
    const std::int64_t huge = std::int64_t{1} << 62;
    expect_tensor_refused(tensor_of(Proto::FLOAT, {huge, huge}),
                          "shape [4611686018427387904, 4611686018427387904] has more elements than can be counted");
    expect_tensor_refused(tensor_of(Proto::FLOAT, {huge}), "the shape [4611686018427387904] is too large");
    Proto terabytes = tensor_of(Proto::FLOAT, {std::int64_t{1} << 40});
    terabytes.set_raw_data("abcd");
    expect_tensor_refused(terabytes, "it has 4 bytes");
}

TEST(Tensors, UnsupportedTypesAreRefusedByName) {
    expect_tensor_refused(tensor_of(22, {1}), "the element type INT4 is not supported");
    expect_tensor_refused(tensor_of(17, {1}), "the element type FLOAT8E4M3FN is not supported");
    expect_tensor_refused(tensor_of(Proto::STRING, {1}), "the element type STRING is not supported");
    expect_tensor_refused(tensor_of(Proto::COMPLEX64, {1}), "the element type COMPLEX64 is not supported");
    expect_tensor_refused(tensor_of(999, {1}), "the element type type 999 is not supported");
    expect_tensor_refused(tensor_of(0, {1}), "the element type UNDEFINED is not supported");
}

TEST(Tensors, ValuesOutOfRangeAreRefused) {
    Proto small = tensor_of(Proto::INT8, {1});
    small.add_int32_data(300);
    expect_tensor_refused(small, "the value 300 does not fit its type");
}

TEST(Tensors, SparseInitializersAreRefused) {
    OnnxBuilder model = small_dense_model();
    model.graph().add_sparse_initializer()->mutable_values()->set_name("sparse");
    const TemporaryDirectory folder;
    model.save(folder / "model.onnx");
    expect_refused(folder / "model.onnx", "sparse initializers are not supported (the first of 1 is 'sparse')");
}

}  // namespace
}  // namespace lossmap::test
