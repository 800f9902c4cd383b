# What comes from the distribution. Each is asked for by the name under which `dev` installs it.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)

# Concurrency Kit: headers alone are used. Its .pc file is left unread: it defines __x86_64__ whatever the target is.
find_path(CK_INCLUDE_DIR ck_sequence.h REQUIRED)
add_library(ck INTERFACE)
target_include_directories(ck SYSTEM INTERFACE ${CK_INCLUDE_DIR})

find_path(TOMLPP_INCLUDE_DIR toml++/toml.h REQUIRED)
add_library(tomlpp INTERFACE)
target_include_directories(tomlpp SYSTEM INTERFACE ${TOMLPP_INCLUDE_DIR})

if(RH_TESTS OR RH_BENCH)
	pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
	pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
endif()
