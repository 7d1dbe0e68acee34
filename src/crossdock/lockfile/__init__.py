"""``crossdock.lock``: what was found once and has to stay, of bases and of what builds from source run on."""
