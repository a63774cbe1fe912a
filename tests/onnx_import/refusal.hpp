#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "onnx_import/importer.hpp"

namespace lossmap::test {

/// Expects that the file is refused with one sentence that begins with its name and holds `part`.
inline void expect_refused(const std::filesystem::path& file, const std::string& part) {
    try {
        static_cast<void>(import_onnx(file));
        ADD_FAILURE() << "accepted; expected a message with '" << part << "'";
    } catch (const InputError& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.rfind(file.string() + ": ", 0), 0U) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        EXPECT_NE(message.back(), '.') << message;
        EXPECT_NE(message.find(part), std::string::npos) << message;
    }
}

}  // namespace lossmap::test
