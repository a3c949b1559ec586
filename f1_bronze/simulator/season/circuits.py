"""The circuits: real places, with what the calendar and the lap times need of them.

Belongs here: facts of a venue. Stays out: dates (`calendars`) and anything invented.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """One venue and the Grand Prix it holds.

    gmt_hours: offset from UTC at its usual date. laps: race distance. lap_seconds: a good
    race lap. start_hour: the race's start in UTC. pit_lane_seconds: an ordinary pit stop,
    from entry to exit.
    """

    meeting_name: str
    location: str
    country_key: int
    country_code: str
    country_name: str
    circuit_key: int
    circuit_short_name: str
    gmt_hours: int
    laps: int
    lap_seconds: float
    start_hour: int
    pit_lane_seconds: float
    circuit_type: str


# The name used in `calendars`, then the fields of Circuit in order, the meeting name without
# "Grand Prix". Two lines may name one venue or one Grand Prix.
_TABLE = """
bahrain;Bahrain;Sakhir;36;BRN;Bahrain;63;Sakhir;3;57;93.5;15;22.9;P
saudi;Saudi Arabian;Jeddah;153;KSA;Saudi Arabia;149;Jeddah;3;50;92.6;17;20.3;S
australia;Australian;Melbourne;5;AUS;Australia;10;Melbourne;11;58;81.5;4;18.1;R
japan;Japanese;Suzuka;4;JPN;Japan;46;Suzuka;9;53;94.5;5;22.8;P
china;Chinese;Shanghai;53;CHN;China;49;Shanghai;8;56;97.5;7;22.6;P
miami;Miami;Miami;19;USA;United States;151;Miami;-4;57;91.2;20;19.8;S
imola;Emilia Romagna;Imola;13;ITA;Italy;6;Imola;2;63;80.8;13;28.6;P
monaco;Monaco;Monaco;114;MON;Monaco;22;Monte Carlo;2;78;76.1;13;24.2;S
canada;Canadian;Montréal;46;CAN;Canada;23;Montreal;-4;70;76.4;18;23.4;S
spain;Spanish;Barcelona;1;ESP;Spain;15;Catalunya;2;66;79.2;13;22.2;P
barcelona;Barcelona-Catalunya;Barcelona;1;ESP;Spain;15;Catalunya;2;66;79.2;13;22.2;P
austria;Austrian;Spielberg;17;AUT;Austria;19;Spielberg;2;71;69.2;13;21.1;P
britain;British;Silverstone;2;GBR;Great Britain;2;Silverstone;1;52;90.6;14;28.4;P
hungary;Hungarian;Budapest;14;HUN;Hungary;4;Hungaroring;2;70;82.1;13;21.4;P
belgium;Belgian;Spa-Francorchamps;16;BEL;Belgium;7;Spa-Francorchamps;2;44;108.3;13;23.2;P
netherlands;Dutch;Zandvoort;133;NED;Netherlands;55;Zandvoort;2;72;74.6;13;21.2;P
italy;Italian;Monza;13;ITA;Italy;39;Monza;2;53;83.6;13;24.1;P
madrid;Spanish;Madrid;1;ESP;Spain;153;Madring;2;57;92.8;13;22.7;S
azerbaijan;Azerbaijan;Baku;30;AZE;Azerbaijan;144;Baku;4;51;106.1;11;20.9;S
malaysia;Bahrain;Kuala Lumpur;36;BRN;Bahrain;12;Kuala Lumpur;8;56;96.4;7;23.0;P
singapore;Singapore;Marina Bay;157;SGP;Singapore;61;Singapore;8;62;97.3;12;28.7;S
austin;United States;Austin;19;USA;United States;9;Austin;-5;56;98.9;19;20.4;P
mexico;Mexico City;Mexico City;8;MEX;Mexico;65;Mexico City;-6;71;80.4;20;22.5;P
brazil;São Paulo;São Paulo;10;BRA;Brazil;14;Interlagos;-3;71;73.6;17;23.8;P
vegas;Las Vegas;Las Vegas;19;USA;United States;152;Las Vegas;-8;50;95.7;6;20.6;S
qatar;Qatar;Lusail;149;QAT;Qatar;150;Lusail;3;57;84.6;16;26.4;P
abudhabi;Abu Dhabi;Yas Island;21;UAE;United Arab Emirates;70;Yas Marina Circuit;4;58;87.4;13;21.9;P
"""
_TYPES = {"P": "Permanent", "S": "Temporary - Street", "R": "Temporary - Road"}


def _circuit(line: str) -> Circuit:
    facts = line.split(";")[1:]
    return Circuit(
        meeting_name=f"{facts[0]} Grand Prix",
        location=facts[1],
        country_key=int(facts[2]),
        country_code=facts[3],
        country_name=facts[4],
        circuit_key=int(facts[5]),
        circuit_short_name=facts[6],
        gmt_hours=int(facts[7]),
        laps=int(facts[8]),
        lap_seconds=float(facts[9]),
        start_hour=int(facts[10]),
        pit_lane_seconds=float(facts[11]),
        circuit_type=_TYPES[facts[12]],
    )


CIRCUITS: dict[str, Circuit] = {
    line.partition(";")[0]: _circuit(line) for line in _TABLE.strip().splitlines()
}
