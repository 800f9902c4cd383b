# What comes from the distribution. Each is asked for by the name under which `dev` installs it.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)

# Concurrency Kit: headers alone are used. Its .pc file is left unread: it defines __x86_64__ whatever the target is.
find_path(CK_INCLUDE_DIR ck_sequence.h REQUIRED)
add_library(ck INTERFACE)
target_include_directories(ck SYSTEM INTERFACE ${CK_INCLUDE_DIR})

find_path(TOMLPP_INCLUDE_DIR toml++/toml.h REQUIRED)
add_library(tomlpp INTERFACE)
target_include_directories(tomlpp SYSTEM INTERFACE ${TOMLPP_INCLUDE_DIR})

if(RH_TESTS OR RH_BENCH)
	pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()

# The kernel-direct back end: libbpf, clang to compile programs for the kernel, bpftool to make them part of ours. Without them the build goes on.
option(RH_BPF "build the kernel-direct back end, where its tools are" ON)
pkg_check_modules(libbpf IMPORTED_TARGET libbpf)
find_program(RH_BPF_CLANG NAMES clang clang-14)
find_program(RH_BPFTOOL bpftool PATHS /usr/sbin /sbin)
if(RH_BPF AND libbpf_FOUND AND RH_BPF_CLANG AND RH_BPFTOOL)
	set(RH_HAVE_BPF ON)
else()
	set(RH_HAVE_BPF OFF)
endif()
if(RH_BPF AND NOT RH_HAVE_BPF)
	message(WARNING "no kernel-direct back end in this build: it takes libbpf-dev, clang and bpftool; /proc will be read instead")
endif()
