"""The five people and five vehicles that every Amazon QLDB tutorial showed.

Source: aws-samples/amazon-qldb-dmv-sample-python, constants/sample_data.py. Copyright Amazon.com, Inc. or its affiliates; MIT-0.
"""

from __future__ import annotations

__all__ = ["TUTORIAL_PEOPLE", "TUTORIAL_TITLES", "TUTORIAL_VIN"]

TUTORIAL_VIN = "1N4AL11D75C109151"

TUTORIAL_PEOPLE = (
    ("Raul", "Lewis", "1963-08-19", "LEWISR261LL", "Driver License", "1719 University Street, Seattle, WA, 98109"),
    ("Brent", "Logan", "1967-07-03", "LOGANB486CG", "Driver License", "43 Stockert Hollow Road, Everett, WA, 98203"),
    ("Alexis", "Pena", "1974-02-10", "744 849 301", "SSN", "4058 Melrose Street, Spokane Valley, WA, 99206"),
    ("Melvin", "Parker", "1976-05-22", "P626-168-229-765", "Passport", "4362 Ryder Avenue, Seattle, WA, 98101"),
    ("Salvatore", "Spencer", "1997-11-15", "S152-780-97-415-0", "Passport", "4450 Honeysuckle Lane, Seattle, WA, 98101"),
)  # fmt: skip
"""(first name, last name, date of birth, GovId, GovIdType, address)"""

TUTORIAL_TITLES = (
    (TUTORIAL_VIN, "Sedan", 2011, "Audi", "A5", "Silver", "LEWISR261LL", "Seattle", "90.25", "2017-08-21", "2020-05-11"),
    ("KM8SRDHF6EU074761", "Sedan", 2015, "Tesla", "Model S", "Blue", "CA762X", "Kent", "130.75", "2017-09-14", "2020-06-25"),
    ("3HGGK5G53FM761765", "Motorcycle", 2011, "Ducati", "Monster 1200", "Yellow", "CD820Z", "Everett", "442.30", "2011-03-17",
     "2021-03-24"),
    ("1HVBBAANXWH544237", "Semi", 2009, "Ford", "F 150", "Black", "LS477D", "Tacoma", "42.20", "2011-10-26", "2023-09-25"),
    ("1C4RJFAG0FC625797", "Sedan", 2019, "Mercedes", "CLK 350", "White", "TH393F", "Olympia", "30.45", "2013-09-02", "2024-03-19"),
)  # fmt: skip
"""(VIN, type, year, make, model, color, plate, city, pending penalties in USD, valid from, valid to); each owned by the person who stands
at the same place above."""
