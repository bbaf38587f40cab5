# The compiler, its warnings and the sanitizers.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (a co_await in the condition of an if, beside inline "
    "capturing lambdas, beside aggregates that own memory: crashes and double frees). "
    "Use clang 19: run ./dev setup, then ./dev build, or pass -DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

set(WEIR_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
set(WEIR_PROFILE "" CACHE STRING "generate: count what runs, for ./dev profile. A file: optimise with what was counted")
option(WEIR_LTO "Optimise weir over all its files when it is linked" OFF)
option(WEIR_WERROR "Turn warnings into errors (CI)" OFF)

# What every target of ours links: language level, warnings, sanitizers, Asio's build mode.
add_library(weir_flags INTERFACE)
target_compile_options(weir_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wold-style-cast -Wno-missing-field-initializers
  -fpch-instantiate-templates)
if(WEIR_WERROR)
  target_compile_options(weir_flags INTERFACE -Werror)
endif()
target_include_directories(weir_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(weir_flags INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_link_options(weir_flags INTERFACE -fuse-ld=lld)

if(WEIR_PROFILE)
  # A function that only its file knows is told from others by its file's name; with the whole path, the profile would fit
  # nothing of the kind outside the directory where it was recorded.
  target_compile_options(weir_flags INTERFACE "SHELL:-mllvm -static-func-full-module-prefix=false")
endif()
if(WEIR_PROFILE STREQUAL "generate")
  target_compile_options(weir_flags INTERFACE -fprofile-generate)
  target_link_options(weir_flags INTERFACE -fprofile-generate)
elseif(WEIR_PROFILE)
  if(NOT EXISTS "${WEIR_PROFILE}")
    message(FATAL_ERROR "WEIR_PROFILE names ${WEIR_PROFILE}, which does not exist: run ./dev profile, or leave it empty.")
  endif()
  # The compiler lists the profile in no dependency file. A copy that is named after its content makes another profile
  # another command line, so that everything is compiled again, and a touched one no reason to compile anything.
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${WEIR_PROFILE}")
  file(SHA256 "${WEIR_PROFILE}" profile_hash)
  string(SUBSTRING ${profile_hash} 0 12 profile_hash)
  set(profile ${CMAKE_BINARY_DIR}/weir-${profile_hash}.profdata)
  file(GLOB old_profiles ${CMAKE_BINARY_DIR}/weir-*.profdata)
  list(REMOVE_ITEM old_profiles ${profile})
  if(old_profiles)
    file(REMOVE ${old_profiles})
  endif()
  file(COPY_FILE "${WEIR_PROFILE}" ${profile} ONLY_IF_DIFFERENT)
  # Code that is newer than the profile is compiled without one.
  target_compile_options(weir_flags INTERFACE
    -fprofile-use=${profile} -Wno-profile-instr-unprofiled -Wno-profile-instr-out-of-date -Wno-backend-plugin)
endif()

# Objects hold both machine code, which tests and tools link as ever, and what weir_optimised_at_link() takes. The code of
# a call is met once on its way and hardly repeats: a tenth fewer instructions are nearly a tenth less user time.
function(weir_link_time_objects target)
  if(WEIR_LTO)
    target_compile_options(${target} PRIVATE -flto=thin -ffat-lto-objects -ffunction-sections)
  endif()
endfunction()
function(weir_optimised_at_link target)
  if(WEIR_LTO)
    target_link_options(${target} PRIVATE
      -flto=thin -ffat-lto-objects -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
  endif()
endfunction()

if(WEIR_SANITIZE)
  target_compile_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE})
  # Recycled coroutine frames hide use-after-free from the sanitizers.
  target_compile_definitions(weir_flags INTERFACE
    WEIR_NO_RECYCLING BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
endif()

if(WEIR_FUZZ)
  # Coverage in every library of ours, so that the fuzzer sees the branches of the parser and not only those of its target.
  target_compile_options(weir_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(weir_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
