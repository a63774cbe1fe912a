# `cmake --install --component bundle`: a folder that runs on another machine, with a driver and CUDA's libraries alone:
# programs and tests for the GPU, the shared libraries that such a machine may lack, data for the checks. tools/make_bundle
# packs it; docs/gpu.md says how it is used.
set(bundle_targets lossmap)
foreach(target test_backends_gpu test_zoo_gpu test_kernels_cuda gpu_probe)
  if(TARGET ${target})
    list(APPEND bundle_targets ${target})
  endif()
endforeach()
foreach(target ${bundle_targets})
  # The old kind of run path holds for the libraries of libraries, too.
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
endforeach()
install(TARGETS ${bundle_targets} RUNTIME_DEPENDENCY_SET bundle_dependencies
  RUNTIME DESTINATION bin COMPONENT bundle EXCLUDE_FROM_ALL)
# Not what every system has, nor what belongs to the driver or to CUDA.
install(RUNTIME_DEPENDENCY_SET bundle_dependencies
  PRE_EXCLUDE_REGEXES "^lib(c|m|pthread|dl|rt|resolv|util)[.]so" "^ld-linux" "^libcuda" "^libcudnn" "^libcublas" "^libnvrtc"
    "^libcusolver" "^libnccl"
  DIRECTORIES ${CMAKE_SOURCE_DIR}/.deps/lib
  LIBRARY DESTINATION lib COMPONENT bundle EXCLUDE_FROM_ALL)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/tools/gpu_check DESTINATION . COMPONENT bundle EXCLUDE_FROM_ALL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/gpu DESTINATION data COMPONENT bundle EXCLUDE_FROM_ALL)
foreach(model resnet56/model.onnx vgg9_sgd_wd5e-4_bs128/epoch_12.onnx)
  get_filename_component(folder ${model} DIRECTORY)
  if(EXISTS ${CMAKE_SOURCE_DIR}/configs/demo/${model})
    install(FILES ${CMAKE_SOURCE_DIR}/configs/demo/${model} DESTINATION data/demo/${folder} COMPONENT bundle EXCLUDE_FROM_ALL)
  endif()
endforeach()
# Networks with PyTorch's losses, where the reference folder is known.
set(LOSSMAP_BUNDLE_ZOO "" CACHE PATH "Folder of the model zoo that goes into the bundle")
if(LOSSMAP_BUNDLE_ZOO)
  install(DIRECTORY ${LOSSMAP_BUNDLE_ZOO}/ DESTINATION data/zoo COMPONENT bundle EXCLUDE_FROM_ALL)
endif()
