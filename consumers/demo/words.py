"""The words that the generated register is made of. Makes and models are real, what happens to them is not."""

from __future__ import annotations

__all__ = ["ARTICLES", "CITIES", "COLORS", "FIRST_NAMES", "LAST_NAMES", "MODELS", "STREETS"]

FIRST_NAMES = (
    "Ada", "Alan", "Amara", "Anders", "Anita", "Aroha", "Bao", "Barbara", "Bjarne", "Carlos", "Chen", "Chioma", "Dana", "Diego",
    "Edsger", "Elena", "Emeka", "Fatima", "Frances", "Giulia", "Grace", "Hana", "Hedy", "Hiro", "Imani", "Ingrid", "Ivan", "Jamal",
    "Jia", "Joan", "Kamala", "Katherine", "Kofi", "Lars", "Leila", "Linus", "Lucia", "Malik", "Margaret", "Mei", "Mina", "Nadia",
    "Niklaus", "Noor", "Olga", "Omar", "Priya", "Radia", "Ravi", "Rosa", "Samir", "Sofia", "Tariq", "Tove", "Uma", "Vera", "Wanjiru",
    "Xiu", "Yara", "Yuki", "Zainab", "Zoe",
)  # fmt: skip

LAST_NAMES = (
    "Abara", "Almeida", "Andersson", "Banerjee", "Bauer", "Becker", "Chowdhury", "Cruz", "Dahl", "Diaz", "Dubois", "Eriksen",
    "Farouk", "Fischer", "Fontaine", "Garcia", "Gupta", "Haddad", "Hansen", "Ito", "Ivanova", "Jansen", "Johnson", "Kang", "Kariuki",
    "Keller", "Khan", "Kim", "Kowalski", "Larsen", "Lee", "Lopez", "Martin", "Mbeki", "Meyer", "Moreau", "Mori", "Nakamura", "Ng",
    "Nguyen", "Novak", "Okafor", "Oliveira", "Ortiz", "Park", "Patel", "Pereira", "Petrov", "Quinn", "Rossi", "Sanchez", "Sato",
    "Schmidt", "Silva", "Singh", "Suzuki", "Tanaka", "Torres", "Tran", "Virtanen", "Walker", "Wang", "Weber", "Yilmaz", "Zhang",
)  # fmt: skip

STREETS = (
    "Alder Street", "Bayview Road", "Birch Lane", "Cedar Avenue", "Cherry Court", "Dock Street", "Elm Street", "Ferry Road",
    "Garden Way", "Harbor Drive", "Hill Street", "Juniper Lane", "Lake Avenue", "Maple Street", "Mill Road", "Oak Avenue", "Orchard Way",
    "Pine Street", "Prospect Street", "River Road", "Spring Street", "Station Road", "Strand Road", "Summit Drive", "Walnut Street",
)  # fmt: skip

CITIES = (
    ("Seattle", "98101"), ("Tacoma", "98402"), ("Spokane", "99201"), ("Everett", "98203"), ("Kent", "98032"), ("Olympia", "98501"),
    ("Bellingham", "98225"), ("Yakima", "98901"), ("Vancouver", "98660"), ("Renton", "98055"), ("Redmond", "98052"), ("Pullman", "99163"),
)  # fmt: skip

MODELS = (
    ("Audi", "A5", "Sedan"), ("Audi", "Q7", "SUV"), ("BMW", "320i", "Sedan"), ("BMW", "X5", "SUV"), ("Chevrolet", "Malibu", "Sedan"),
    ("Ducati", "Monster 1200", "Motorcycle"), ("Ford", "F 150", "Truck"), ("Ford", "Focus", "Hatchback"), ("Honda", "Civic", "Sedan"),
    ("Honda", "CR-V", "SUV"), ("Mercedes", "CLK 350", "Sedan"), ("Nissan", "Altima", "Sedan"), ("Tesla", "Model S", "Sedan"),
    ("Toyota", "Corolla", "Sedan"), ("Toyota", "Hilux", "Truck"), ("Volvo", "V70", "Estate"), ("Volkswagen", "Golf", "Hatchback"),
)  # fmt: skip

COLORS = ("Silver", "Blue", "Yellow", "Black", "White", "Red", "Green", "Grey")

ARTICLES = (
    ("Certified copy of the title", "18.50"), ("Personal licence plate", "52.00"), ("Replacement plate", "12.75"),
    ("Registration sticker", "4.95"), ("Vehicle history report", "24.99"), ("Parking permit, one year", "65.00"),
)  # fmt: skip
"""(article, price in USD)"""
