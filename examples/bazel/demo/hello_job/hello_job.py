"""Prints a domain name as the network spells it, and the machine it did that on."""

import json

from demo.hello_job import names
from libs.machine import machine

if __name__ == "__main__":
    print(json.dumps({"encoded": names.encode("größe.example"), **machine.describe("idna")}))
