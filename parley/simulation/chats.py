"""What simulated people and their assistants say to each other."""

from typing import Final

from parley.events import Role

Line = tuple[Role, str]


def _chat(*lines: str) -> tuple[Line, ...]:
    """The user begins, and then they take turns."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple((roles[number % 2], line) for number, line in enumerate(lines))


CHATS: Final = (
    _chat(
        "Hi! My sourdough came out flat again. What am I doing wrong?",
        "Sorry to hear that! How long did the dough rest before it went into the oven?",
        "About an hour, the kitchen is quite cold.",
        "That is the reason, I think: in a cold kitchen it needs three to four hours.",
        "Oh, that makes sense. I will try it tonight.",
        "Good luck! It should have grown by half before you bake it.",
        "Wonderful, thank you so much!",
        "You are welcome. Enjoy the bread!",
    ),
    _chat(
        "Can you help me to plan a weekend in Lisbon?",
        "With pleasure! Do you like walking, or would you rather take trams?",
        "Walking is great, we love old streets and good food.",
        "Then begin in Alfama on Saturday, and have lunch at the market by the river.",
        "Perfect. And Sunday?",
        "Take the train to Sintra in the morning; the gardens are lovely and quiet then.",
        "That sounds fantastic, I am really looking forward to it.",
        "Have a great trip!",
    ),
    _chat(
        "My parcel has not arrived, and I am a bit annoyed.",
        "I understand, let me look. Could you tell me the order number?",
        "It is 4711.",
        "Thank you. It is at the depot since yesterday and comes tomorrow before noon.",
        "Fine, but please tell me earlier next time.",
        "You are right, and I am sorry. I have added a note, and refunded the delivery.",
        "That is very kind, thanks a lot.",
        "My pleasure. Is there anything else?",
    ),
    _chat(
        "How do I explain to my daughter why the sky is blue?",
        "Tell her that sunlight is made of all colours, and the air scatters blue the most.",
        "She asks why it is red in the evening, then.",
        "Because the light comes a longer way, and the blue is scattered away before it is here.",
        "She says that is awesome!",
        "She asks excellent questions. Keep going!",
    ),
    _chat(
        "I want to start running, but I always give up after a week.",
        "Many do! How far do you run in that week?",
        "Five kilometres a day.",
        "That is a lot for a beginning. Try one minute of running and one of walking, ten times.",
        "That sounds almost too easy.",
        "It should. Three times a week, and add a minute every week.",
        "Okay, I like that plan.",
        "I believe in you. Tell me how it went!",
    ),
)
