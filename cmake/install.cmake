# What `cmake --install build/release --prefix DIR` puts where: the two programs, their manual
# pages, and the library with its header.
install(TARGETS pawl pawl-shared)
install(TARGETS pawld DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS pawl-tree DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/pawl)
install(FILES include/pawl.h TYPE INCLUDE)
install(FILES docs/man/pawl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/pawld.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
