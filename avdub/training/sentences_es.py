"""Spanish sentences for the teacher voices to read: a seeded grammar like the English one.

Nouns carry their gender, so that articles and adjectives agree. `WORDS` are everyday words for the
word lists, which bring every phoneme and its neighbours. It must not know any development or test
sentence.
"""
# ruff: noqa: SIM905 - long lists of phrases read better as text

import random

SUBJECTS = (
    "mi hermano|la profesora|el vecino de arriba|nuestra amiga Elena|un señor mayor|la directora|"
    "su abuela|todo el equipo|alguien|el médico|esta empresa|la niña pequeña|mi primo Andrés|"
    "la señora Ramírez|el nuevo alumno|aquella periodista|un ingeniero joven|el camarero|"
    "tu padre|Pedro|Sofía|el piloto|la jefa|el cartero|mi tía Rosario|Joaquín|Beatriz|"
    "el conductor|la cocinera|un viejo pescador|el alcalde|la enfermera|don Ignacio|doña Chelo|"
    "el hijo de Marta|la familia Quiroga|un turista alemán|la policía|el fontanero|Hugo|Irene"
).split("|")
PLURALS = (
    "los niños|mis padres|las vecinas|los bomberos|ellos|ustedes|mis amigas|los jóvenes|"
    "las dos hermanas|los trabajadores|Luis y Begoña|muchos estudiantes|los demás|unos turistas"
).split("|")
PAST = (
    "encontró|pintó|vendió|olvidó|abrió|llevó|dejó|describió|pidió prestado|arregló|rompió|trajo|"
    "envolvió|publicó|movió|guardó|fotografió|limpió|compró|miró|perdió|escondió|midió|eligió|"
    "explicó|rechazó|cambió|recordó|examinó|entregó|recogió|empujó|construyó|quiso|leyó|oyó"
).split("|")
PRESENT = (
    "busca|necesita|quiere|prepara|vende|compra|enseña|recoge|conoce|trae|lava|mira|elige|dibuja|"
    "guarda|prefiere|ofrece|exige|acaricia|construye|protege|arregla"
).split("|")
INFINITIVES = (
    "comprar|ver|arreglar|vender|llevar|traer|buscar|limpiar|pintar|elegir|recoger|construir|"
    "devolver|enseñar|guardar|tirar|cambiar|aprovechar|conseguir|dibujar"
).split("|")
OBJECTS = (
    "la bicicleta azul|una caja pesada|tres cartas|la ventana de la cocina|una cámara muy cara|"
    "la llave equivocada|dos botellas de agua|un mapa de la ciudad|el informe final|"
    "su chaqueta favorita|un ramo de flores|la silla rota|un barco pequeño de madera|"
    "la manzana más grande|mi teléfono|la primera página|una taza de té|varias fotografías|"
    "el paraguas negro|una bolsa vacía|la puerta del jardín|un par de zapatos|sopa de pescado|"
    "el regalo de cumpleaños|un trozo de chocolate|los pasaportes|la cortina morada|un reloj viejo|"
    "la mitad del dinero|la televisión|un mensaje larguísimo|el piano|las dos guitarras|"
    "las entradas del museo|un kilo de naranjas|el queso de cabra|una lámpara de pie|los platos|"
    "la cuenta del restaurante|un billete de tren|pan recién hecho|unas gafas de sol|"
    "huevos y leche|"
    "la mochila verde|el ordenador nuevo|una manta gruesa|cinco libros|el pingüino de peluche"
).split("|")
PLACES = (
    "en la cocina|detrás de la estación|de camino a casa|cerca del río|en el aeropuerto|"
    "debajo de la mesa|enfrente de la iglesia|junto al hospital|a la orilla del mar|"
    "en el tercer piso|en la vieja biblioteca|al otro lado de la calle|en el mercado|"
    "dentro del coche|más allá de las montañas|entre las dos casas|al final de la página|"
    "en el centro del pueblo|encima de la tienda|en la playa|por el parque|en Valencia|"
    "en el sótano|en la oficina|bajo el puente|alrededor de la plaza|en Uruguay|"
    "sobre la nevera|en un rincón del garaje|en el jardín|hacia el norte"
).split("|")
TIMES = (
    "esta mañana|ayer|el viernes pasado|hace una hora|antes de desayunar|después de la reunión|"
    "cada verano|en noviembre|el martes por la tarde|a las siete y media|durante la tormenta|"
    "cuando dejó de llover|dos semanas más tarde|justo a tiempo|lo antes posible|el día anterior|"
    "por primera vez|a medianoche|en la primavera de 1998|el cuatro de mayo|a finales de año|"
    "otra vez|al mediodía|anoche|el fin de semana|en enero|el jueves|al amanecer|de repente|"
    "a principios de agosto|mientras tanto|hace mucho tiempo|todos los días"
).split("|")
SOON = (
    "mañana|esta tarde|ahora mismo|el lunes|lo antes posible|después de cenar|esta noche|"
    "a las ocho|cuando puedas|el próximo jueves|antes de salir|"
    "al mediodía|en diciembre|dentro de una hora|"
    "el sábado por la mañana|pasado mañana|a la vuelta|en cuanto llegues|en febrero|luego"
).split("|")
# things with their articles left out: "m" or "f" says which
THINGS_M = (
    "tiempo|cuento|problema|viaje|camino|pan|invierno|café|puente|jardín|plan|juego|trabajo|"
    "agujero|bosque|vestido|concierto|barrio|examen|horno|gazpacho|zapato|ruido|sueño|guiso|"
    "espejo|consejo|idioma|árbol|paisaje|autobús|negocio"
).split("|")
THINGS_F = (
    "historia|música|casa|película|carretera|voz|respuesta|montaña|foto|pregunta|máquina|lengua|"
    "lluvia|fiesta|noticia|habitación|cena|sierra|calle|paella|guerra|playa|canción|ciudad|verdad|"
    "nieve|receta|excursión|cueva|yegua|huella|exposición"
).split("|")
ADJECTIVES = (
    "tranquil|extrañ|bonit|peligros|sencill|cálid|frí|hermos|maravillos|famos|barat|"
    "estrech|redond|aburrid|enorme!|amable!|rar|vací|ruidos|fresc|espes|buen|mal|larg|"
    "cort|oscur|lent|rápid|antigu|modern|imposible!|fácil!|difícil!|feliz!|triste!|verde!|roj|amarill|"
    "nuev|viej|car|suci|segur|perfect|interesante!|urgente!|útil!|gracios|complej"
).split("|")
QUESTIONS = (
    "dónde puso {s} {o}|por qué era tan {a} {el_t}|quién {v} {o} {w}|puedes enseñarme {o}|"
    "te importaría esperar {p}|has visto alguna vez {un_t} tan {a}|qué pasó {w}|cuánto cuesta {o}|"
    "crees que {s} {v} {o}|hay {un_t} {a} {p}|cuándo va a volver {s}|"
    "cuál prefieres, {el_t} o {el_u}|has oído eso|cuántos años tiene {s}|podríamos vernos {p} {z}|"
    "estás seguro de que {s} {k} {o}|no deberíamos llamar a {s} primero|qué quieres hacer {z}|"
    "a qué hora sale el autobús, a las {h}|de quién es {el_t}|cómo se llama {s}|"
    "quieren {i} {o}|me dejas {i} {o}|qué te parece {el_t}|sabes si {s} vive {p}|"
    "por qué no vamos a {i} {o}|tienes {n} euros"
).split("|")
ORDERS = (
    "pon {o} {p}, por favor|no olvides {o}|dale {o} a {s}|ven aquí y mira {el_t}|"
    "deja {o} {p}, gracias|ten cuidado con {el_t}|no te preocupes por {el_t}|"
    "toma la segunda calle a la izquierda|dile la verdad a {s}|déjame ver {o}|"
    "espera, no toques {el_t}|"
    "trae {o} y nos vamos|no vuelvas a tocar {o}|piénsalo bien|escúchame, {s} {v} {o}|"
    "siéntate {p} y come algo|cierra la puerta y apaga la luz|dígame qué quiere {i}|"
    "llámame {z}|hazlo {z}|vamos a {i} {o}|cállate y sigue leyendo|coge {o} y vete"
).split("|")
STATEMENTS = (
    "{s} {v} {o} {p}|{s} {v} {o} {w}|{w}, {s} {v} {o}|{el_t} era {a} y {el_u} era {b}|"
    "creo que {s} {v} {o}, pero no estoy seguro|{s} dijo que {el_t} sería {a}|"
    "nunca habíamos oído {un_t} tan {a}|hay {un_t} {a} {p}|si {el_t} es {a}, {s} estará contento|"
    "{s} {v} {o}, y {r} {x} {q}|nadie {v} {o} hasta que {s} {x} {q}|fue un día {am}, {a2m} y {a3m}|"
    "prefiero {o} antes que {q}|{el_t} que {s} {v} {w} era {a}|quizás {el_t} no sea tan {a}|"
    "como {s} {v} {o}, nos quedamos {p}|{mi_t} es mejor que {el_u} de {s}|"
    "puedes comprar {o} {p} por {n} euros|{s} vive {p} con {n} perros y un loro|"
    "unas {n} personas vinieron a ver {el_t}|el capítulo {n} habla de {un_t} {a}|"
    "el tren sale a las {h} del andén {d}|en {y}, {s} {v} {o}|él pesa {n} kilos y ella {m}|"
    "mi número es el {d}, {e}, {f}, {d}, {e}|el {n} por ciento de la gente {k} {o}|"
    "eso no es tan {am}|qué {a} es {el_t}|sí, claro que sí|no, {z} no|"
    "muchas gracias por {o}|bueno, {s} {v} {o}|"
    "ay, otra vez {el_t}|perdone, {este_t} es de mi padre|{l} quieren {i} {o}|{l} estaban {p} {w}|"
    "{l} viven {p} desde {y}|{s} {k} {o} y {k2} {q}|{s} quiere {i} {o}|me gusta {i} {o} {p}|"
    "tenemos que {i} {o} antes de las {h}|ojalá {s} venga {z}|no sé dónde está {s}|"
    "{s} se cayó {p} y se hizo daño|voy a {i} {o}|acabo de {i} {o}|hace {n} años que {s} {k} {o}|"
    "ya son las {h}|hoy es {n2} de {month}|me duele el {body}|{s} tiene {n} años|"
    "dicen que {l} van a {i} {o}|aunque {el_t} sea {a}, {s} {k} {o}|yo no quería {i} {o}"
).split("|")
MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre".split()
BODY = "brazo pie hombro cuello estómago ojo codo dedo pecho tobillo oído".split()
WORDS = (
    "abajo abeja abierto abrazo abrigo abril abrir abuelo aburrido acabar accidente acción aceite "
    "aceptar acera ácido acordar actor actriz actual acuerdo adelante además adiós admirar adónde "
    "adulto afuera agencia agosto agradable agua águila aguja ahí ahora ahorrar aire ajedrez ajo "
    "alcalde alegre alemán alfombra algo alguien alguno allá allí alma almohada almuerzo alquiler "
    "alrededor alto alumno amable amanecer amarillo ambiente ambos amenaza amigo amistad amor "
    "ancho andar ángel anillo animal anoche anterior antes antiguo anuncio añadir año apagar "
    "aparcar apellido apenas apetito aplauso aprender apretar apuntar aquello aquí araña árbol "
    "arena armario arquitecto arreglar arriba arroz arte artículo ascensor asiento asunto "
    "atención atlas atrás atún aula aumento aún aunque autobús autor avenida aventura avión "
    "avisar ayer ayuda ayuntamiento azúcar azul bailar baile bajar balcón banco bandera bañera "
    "barato barba barco barrio barro bastante basura batalla beber bebida bello beso biblioteca "
    "bicicleta bien bigote bilingüe billete blanco boca boda bolígrafo bolsa bombero bombilla "
    "bonito borracho bosque bota botella botón brazo breve brillar broma bruja bueno burro buscar "
    "butaca buzón caballo cabeza cabra cadena caer café caja cajón calcetín calidad caliente "
    "calle calor cama camarero cambio camino camisa campana campeón campo canción cansado cantar "
    "capaz cara carácter cárcel cariño carne carrera carta cartera casa casi castillo catorce "
    "causa ceja celebrar cena ceniza centro cepillo cerca cerdo cereza cerrar cerveza césped "
    "chaqueta charla cheque chico chiste chocolate cielo ciencia cierto cigüeña cinco cine "
    "cinturón círculo cita ciudad claro clase clavo cliente clima cobrar coche cocina código "
    "coger cohete cola colchón colegio colgar colina collar color comedor comenzar comer comida "
    "cómo compañero comprar común concierto conducir conejo confianza congelador conmigo conocer "
    "consejo construir contento contigo contra copa corazón corbata cordero correo correr cortar "
    "corto cosa costa costumbre crecer creer crema cruz cuaderno cuadro cuál cualquier cuándo "
    "cuánto cuarenta cuarto cuatro cubo cuchara cuchillo cuello cuenta cuento cuerda cuerpo cueva "
    "cuidado culpa cumpleaños cuñado curso dado daño dar debajo deber débil decir dedo dejar "
    "delante delgado dentista dentro deporte derecho desayuno descanso desde desierto despacio "
    "despertar después destino detrás deuda día dibujo diciembre diente diez difícil dinero dios "
    "dirección disco disculpa diversión doblar doce doctor dolor domingo dónde dormir drama ducha "
    "dueño dulce durante duro echar edad edificio ejemplo ejército elegir emoción empezar empleo "
    "empresa empujar encima encontrar enero enfadado enfermo enfrente enojo ensalada enseñar "
    "entender entonces entrada entre enviar época equipo error escalera escoba escribir escuchar "
    "escuela espalda español espejo esperar esposa esquina estación estatua este estrella "
    "estudiar estufa etapa Europa evitar exacto examen excelente éxito experiencia explicar "
    "extranjero fábrica fácil falda falso falta familia famoso farmacia favor fecha feliz feo "
    "feria fiebre fiesta fila final firma físico flaco flauta flecha flor fondo forma foto "
    "francés frase fregar frente fresa frío frontera fruta fuego fuente fuera fuerte fumar "
    "función funda fútbol futuro gafas galleta gallina ganar garaje garganta gato general genio "
    "gente gigante gimnasio girar globo gobierno golpe goma gordo gorra grabar gracias grado "
    "grande granja grasa gratis grito grueso grupo guante guapo guardar guerra guía guisante "
    "guitarra gusano gustar haber habitación hablar hacer hacha hambre harina hecho helado herida "
    "hermano héroe herramienta hielo hierba hierro hígado hijo hilo historia hogar hoja hola "
    "hombre hombro hongo hora hormiga horno hotel hoy huelga huella hueso huésped huevo huir "
    "humano humo idea idioma iglesia igual imagen imposible incluso indio infancia inglés "
    "invierno invitar isla izquierda jabón jamás jamón jardín jarra jaula jefe jirafa joven joya "
    "judía juego jueves juez jugar jugo juguete julio junio junto jurar justo kilo kilómetro "
    "labio lado ladrillo ladrón lago lágrima lámpara lana lápiz largo lástima lavadora leche "
    "lechuga leer lejos lengua león letra levantar ley libre librería libro limón limpio lindo "
    "línea listo llama llamar llano llanto llave llegar llenar llevar llorar lluvia lobo loco "
    "lograr luchar luego lugar lujo luna lunes luz madera madre maestro magia maíz maleta malo "
    "mancha mandar manera mano manta mantequilla manzana mañana máquina mar maravilla marido "
    "marzo martes masa mayo mayor médico medio mediodía mejilla mejor melocotón melón memoria "
    "menor menos mensaje mentira mercado mes mesa metal mezcla miedo miel miembro miércoles mil "
    "minuto mismo mitad mochila moda mojado molestar momento moneda mono montaña morado morder "
    "morir mosca mostrar mover mucho mueble muela muerte mujer mundo muñeca museo música muy "
    "nacer nación nadar nadie naranja nariz naturaleza nave Navidad negro nervio nevera ninguno "
    "niño nivel noche nombre norte nosotros noticia nube nudo nuevo nuez número nunca obra ocho "
    "octubre ocupado oeste oficina oír ojo ola olla olor olvidar once opinión orden oreja orgullo "
    "oro oscuro oso otoño otro oveja oxígeno paciencia padre pagar página país pájaro palabra "
    "palacio palo paloma pantalla pantalón pañuelo papel paraguas parar parecer pared parque "
    "parte partido pasado pasear paso pastel patata patio pato payaso paz peces pecho pedazo "
    "pedir película peligro pelo pelota peluquero pena pensamiento pequeño pera perder pereza "
    "perfecto periódico permiso pero perro pescado peso pico piedra piel pierna pieza pimienta "
    "pingüino pintura piña piso pizarra placer plancha planta plata plátano playa plaza pluma "
    "pobre poco poder policía pollo polvo poner porque postre pozo precio pregunta prensa "
    "preocupado presión prestar primavera primero primo prisa problema prohibir pronto propio "
    "próximo pueblo puente puerta puerto pulga pulmón punto quedar quejarse quemar querer queso "
    "quién química quince quitar quizás rabia radio raíz rama rana rápido raro rascar rata ratón "
    "raya rayo razón real rebaja recibir recibo recoger recordar recto red regalo regla reina "
    "reír reloj remedio repetir rescate respirar respuesta resto reunión revista rey rezar rico "
    "rincón río risa ritmo robar rodilla rojo romper ropa rosa roto rubio rueda ruido sábado "
    "saber sabor sacar sala salida salir salsa saltar salud sangre sano sartén secreto sed seguir "
    "según segundo seguro semana sentir señal señor septiembre ser servilleta sesenta setenta "
    "siempre sierra siete siglo significar silencio silla símbolo simple sobrino sociedad sofá "
    "sol soldado solo sombra sombrero sonrisa soñar sopa sordo sorpresa suave subir sucio sueldo "
    "suelo sueño suerte suficiente sufrir sur susto taller tamaño también tarde tarea tarjeta "
    "taza teatro techo tecla tejado teléfono temprano tenedor tener terminar ternura terremoto "
    "tesoro tiempo tienda tierra tigre tijeras tímido tío toalla tocar todavía tomate tonto "
    "tormenta toro torre tortuga tos trabajo traer traje tranquilo transporte tren tres tribu "
    "triste trompeta trozo trueno último único universidad uña usar útil uva vaca vacío valle "
    "valor vapor vaso vecino veinte vela vender veneno ventana ver verano verdad verde vergüenza "
    "verter vestido vez viaje vida vidrio viejo viento viernes vino violín virtud visita viuda "
    "vivir volar volver voz vuelo vuelta xilófono ya yegua yema yerno yeso yogur zanahoria zapato "
    "zona zorro zumo"
).split()


def make_sentences_es(n: int, seed: int) -> list[str]:
    """`n` distinct sentences; the same seed gives the same list."""
    rng = random.Random(seed)
    kinds = ((STATEMENTS, "", "."), (STATEMENTS, "", "."), (QUESTIONS, "¿", "?"), (ORDERS, "", "."))
    found: dict[str, None] = {}
    while len(found) < n:
        forms, begin, end = kinds[rng.randrange(len(kinds))]
        body = rng.choice(forms).format(**_fill(rng))
        body = body.replace(" de el ", " del ").replace(" a el ", " al ")
        if end == "." and (rng.random() < 0.07 or body.startswith("qué ")):
            begin, end = "¡", "!"
        found[begin + body[0].upper() + body[1:] + end] = None
    return list(found)


def sentences_for_es(counts: tuple[int, int], seed: int) -> list[str]:
    """Grammar sentences and lists of everyday words, `counts` of each."""
    n_made, n_words = counts
    return make_sentences_es(n_made, seed) + _word_lists(n_words, seed)


def _word_lists(n: int, seed: int) -> list[str]:
    """`n` lines of five to nine everyday words, for phoneme coverage."""
    rng = random.Random(seed)
    lines = []
    for _ in range(n):
        picked = rng.sample(WORDS, rng.randint(5, 9))
        if len(picked) > 6:
            picked[3] += ","
        lines.append(" ".join(picked).capitalize() + ".")
    return lines


def _fill(rng: random.Random) -> dict[str, str]:
    t, is_f = _thing(rng)
    u, is_g = _thing(rng)
    stems = rng.sample(ADJECTIVES, 3)
    s, r = rng.sample(SUBJECTS, 2)
    o, q = rng.sample(OBJECTS, 2)
    v, x = rng.sample(PAST, 2)
    k, k2 = rng.sample(PRESENT, 2)
    hour = f"{rng.randint(2, 12)}:{rng.choice(('15', '30', '45', '10', '20', '05'))}"
    return {
        **dict(s=s, r=r, o=o, q=q, v=v, x=x, k=k, k2=k2, h=hour),
        **{name: str(rng.randint(2, 99)) for name in "nm"},
        **{name: str(rng.randint(0, 9)) for name in "def"},
        **{"y": str(rng.randint(1850, 2030)), "n2": str(rng.randint(2, 30))},
        **{"a": _agree(stems[0], is_f), "b": _agree(stems[1], is_g)},
        **{
            name: _agree(stem, False)
            for name, stem in zip(("am", "a2m", "a3m"), stems, strict=True)
        },
        **{"el_t": f"{'la' if is_f else 'el'} {t}", "un_t": f"{'una' if is_f else 'un'} {t}"},
        **{"el_u": f"{'la' if is_g else 'el'} {u}", "mi_t": f"mi {t}"},
        **{"este_t": f"{'esta' if is_f else 'este'} {t}", "i": rng.choice(INFINITIVES)},
        **{"p": rng.choice(PLACES), "w": rng.choice(TIMES), "z": rng.choice(SOON)},
        **{"l": rng.choice(PLURALS), "month": rng.choice(MONTHS), "body": rng.choice(BODY)},
    }


def _thing(rng: random.Random) -> tuple[str, bool]:
    """A noun, and whether it is feminine."""
    is_feminine = rng.random() < 0.5
    return rng.choice(THINGS_F if is_feminine else THINGS_M), is_feminine


def _agree(stem: str, is_feminine: bool) -> str:
    """An adjective in the noun's gender; those with ! have one form."""
    if stem.endswith("!"):
        return stem[:-1]
    return stem + ("a" if is_feminine else "o")
