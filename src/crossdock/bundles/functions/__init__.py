"""Zips for functions of the clouds: AWS Lambda, and where their layout differs Google's and Azure's."""
