#pragma once

#include <string_view>

namespace lossmap::report_assets {

/// Files of engine/output/report/, embedded at build time (cmake/EmbedFiles.cmake).
extern const std::string_view kPage;
extern const std::string_view kStyle;
extern const std::string_view kSurfaceDataScript;
extern const std::string_view kFiguresScript;
extern const std::string_view kPathFiguresScript;
extern const std::string_view kCurveFiguresScript;
extern const std::string_view kTableExportsScript;
extern const std::string_view kMeshExportsScript;
extern const std::string_view kCardsScript;
extern const std::string_view kPageScript;

}  // namespace lossmap::report_assets
