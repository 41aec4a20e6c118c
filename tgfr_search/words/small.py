"""Words that say nothing of a face by themselves: what is not among them and was not read is told as unread."""

_SMALL = """
    a an the this that these those some any his her hers their its he she they it him them i me my we us you
    your who whom whose which what there here is was were are be been being am has had have having do does did
    done will would can could may might must shall should and or nor but so because if as than then when while
    after before about around over under with without of in on at to from by for into out up down off near next
    not no never none neither either both all every each very quite rather really too also just only even still
    already again more most less least much many lot lots few little bit kind sort type like looks looked look
    looking seems seemed appears appeared think thought believe guess say said saw see seen remember recall
    notice noticed know knew sure certain maybe perhaps possibly probably wearing wears wore worn got man woman
    person guy lady girl boy male female one someone somebody people years year old age ages aged early mid late
    hair eyes eye face nose mouth lips skin head eyebrows brows cheeks chin forehead ears ear neck complexion
    appearance features feature other same well good normal average light dark big small large long short thin
    thick wide slightly somewhat fairly mostly however though although except yet instead hi first second
    between whether apparently usually definitely certainly clearly picture photo image shown facing camera
    background style styled color colour colored coloured skinned haired himself herself ok okay yes mr mrs ms
    miss approximately roughly middle medium height build left right side sides top back front going took take
    bag shirt clothes coat jacket dress wear set made
"""
SMALL = frozenset(_SMALL.split())
