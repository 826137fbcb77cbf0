"""What the simulated click log is like; the defaults are the demonstration log's."""

from __future__ import annotations

from datetime import date

from model_code.settings import require, settings

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@settings
class SimulationSettings:
    """A click log of users with several interests, on items that rise and fade.

    Attributes:
        seed: of all random numbers; equal settings give equal rows.
        start: first day of the log, from midnight UTC.
        days: length of the log.
        users: users that may appear. Activity is heavy-tailed, so some of them never click.
        clicks: expected number of events of the log.
        items: items of the catalogue, unborn ones included.
        categories: item categories, of unequal size; each belongs to one interest.
        interests: interests in the population: rings of categories with one axis of taste.
        interests_per_user: interests of each user, now and then twice the same, unequally strong, so that
            two or three dominate.
        activity_sigma: spread of the logarithm of a user's rate of clicks. 1.4 leaves about four users in ten
            below five clicks and gives the busiest hundredth about a sixth of all clicks.
        early_share: share of users already there on the first day; the others arrive during the log.
        session_clicks: mean clicks of a session; the lengths are geometric.
        persistence: probability that a session goes on with the interest of the one before: why recent clicks
            say more than old ones.
        switching: probability, at each click within a session, of turning to another interest.
        advancing: probability, at each click, of moving on to the next category of the interest's ring: why
            the order of clicks matters.
        exploration: share of intents taken from what is popular, in place of the user's own interests.
        noise: share of clicks on whatever is popular at that time, whatever the intent.
        repeats: share of clicks on an item that the user had before; half of them on the very last one.
        taste_step: standard deviation of the walk of taste from click to click, on an axis of length 1.
        taste_width: half-width of the window on the axis of taste from which an item is drawn.
        popularity_exponent: Zipf exponent of the items' popularity at birth.
        lifetime_days: median time in which an item's popularity falls to 1/e.
        evergreen: share of items that do not fade.
        trend: standard deviation of the categories' trends: the logarithm of growth over the log.
        popularity_hours: popularity is constant over this many hours. The catalogue's table takes
            ``items * days * 24 / popularity_hours`` numbers of 8 bytes.
        daily_cycle: 0 spreads clicks evenly over the day; towards 1, nights (UTC) grow quiet.
    """

    seed: int = 20
    start: date = date(2024, 3, 4)
    days: int = 14
    users: int = 2_100
    clicks: int = 36_000
    items: int = 1_900
    categories: int = 60
    interests: int = 15
    interests_per_user: int = 5
    activity_sigma: float = 1.4
    early_share: float = 0.75
    session_clicks: float = 6.0
    persistence: float = 0.6
    switching: float = 0.06
    advancing: float = 0.25
    exploration: float = 0.2
    noise: float = 0.25
    repeats: float = 0.04
    taste_step: float = 0.04
    taste_width: float = 0.15
    popularity_exponent: float = 0.8
    lifetime_days: float = 6.0
    evergreen: float = 0.3
    trend: float = 0.5
    popularity_hours: int = 6
    daily_cycle: float = 0.6

    def __post_init__(self) -> None:
        for name in ("days", "users", "clicks", "interests", "interests_per_user", "popularity_hours"):
            value = getattr(self, name)
            require(value > 0, f"simulation.{name}", value, "a positive number")
        self._require_nested_counts()
        for name in ("persistence", "switching", "advancing", "exploration", "noise", "repeats", "evergreen"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"simulation.{name}", value, "a number in [0, 1]")
        for name in ("activity_sigma", "taste_step", "popularity_exponent", "trend"):
            value = getattr(self, name)
            require(value >= 0, f"simulation.{name}", value, "a number of at least 0")
        require(self.seed >= 0, "simulation.seed", self.seed, "a number of at least 0")
        require(0 < self.early_share <= 1, "simulation.early_share", self.early_share, "a number in (0, 1]")
        require(self.session_clicks >= 1, "simulation.session_clicks", self.session_clicks, "at least 1")
        require(0 < self.taste_width <= 1, "simulation.taste_width", self.taste_width, "a number in (0, 1]")
        require(self.lifetime_days > 0, "simulation.lifetime_days", self.lifetime_days, "a positive number")
        require(0 <= self.daily_cycle < 1, "simulation.daily_cycle", self.daily_cycle, "a number in [0, 1)")
        whole = 24 * self.days % self.popularity_hours == 0
        require(whole, "simulation.popularity_hours", self.popularity_hours, "a divisor of the log's hours")

    def _require_nested_counts(self) -> None:
        for name, smaller in (("categories", "interests"), ("items", "categories")):
            value, least = getattr(self, name), getattr(self, smaller)
            require(value >= least, f"simulation.{name}", value, f"at least {smaller} = {least}")

    @property
    def start_ms(self) -> int:
        """Start of the log in ms since the epoch."""
        return (self.start - date(1970, 1, 1)).days * DAY_MS

    @property
    def length_ms(self) -> int:
        """Length of the log in ms."""
        return self.days * DAY_MS
